/*
 * Time as people in the province read it: Việt Nam's clock wherever the browser stands, 24 hours, dd/mm/yyyy,
 * durations in two parts at most ("1 giờ 12 phút").
 */
import { language, t } from "./words.svelte";

const ZONE = "Asia/Ho_Chi_Minh";

function format(at: Date, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(language.tag, { timeZone: ZONE, hourCycle: "h23", ...options }).format(at);
}

/** 04:51 */
export function clock(at: Date): string {
  return format(at, { hour: "2-digit", minute: "2-digit" });
}

/** 04:51:06 */
export function clockSeconds(at: Date): string {
  return format(at, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** 22/11/2026 */
export function date(at: Date): string {
  return format(at, { day: "2-digit", month: "2-digit", year: "numeric" });
}

/** 22/11, in both languages: `vi-VN` alone would write 22-11. */
export function dayMonth(at: Date): string {
  return date(at).slice(0, 5);
}

/** 04:51, or 04:51 21/11/2026 when that is another day than `now`. */
export function moment(at: Date, now: Date): string {
  return date(at) === date(now) ? clock(at) : `${clock(at)} ${date(at)}`;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < MINUTE) return t("duration.seconds", { n: s });
  if (s < HOUR) return t("duration.minutes", { n: Math.floor(s / MINUTE) });
  if (s < DAY) return two("duration.hours", Math.floor(s / HOUR), "duration.minutes", Math.floor((s % HOUR) / MINUTE));
  return two("duration.days", Math.floor(s / DAY), "duration.hours", Math.floor((s % DAY) / HOUR));
}

type Unit = "duration.days" | "duration.hours" | "duration.minutes";

function two(large: Unit, many: number, small: Unit, few: number): string {
  const first = t(large, { n: many });
  return few === 0 ? first : `${first} ${t(small, { n: few })}`;
}

/** What a telephone dials: `tel:` and digits. */
export function dial(phone: string): string {
  return `tel:${phone.replace(/[^\d+]/g, "")}`;
}
