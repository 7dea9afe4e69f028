/* Working hours as people say them: "Thứ Hai – Thứ Sáu, 07:00–11:30 và 13:00–17:00". */
import type { Hours } from "../api/site";
import { language, t } from "./words.svelte";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/** 2024-01-01 was a Monday. */
const MONDAY = Date.UTC(2024, 0, 1);

function dayName(day: number): string {
  const name = new Intl.DateTimeFormat(language.tag, { weekday: "long", timeZone: "UTC" }).format(MONDAY + day * 86_400_000);
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Days in a row become a range from three on: "Thứ Hai – Thứ Sáu, Chủ Nhật". */
function dayWords(words: readonly string[]): string {
  const days = DAYS.flatMap((word, day) => (words.includes(word) ? [day] : []));
  if (days.length === DAYS.length) return t("hours.daily");
  const rows: number[][] = [];
  for (const day of days) {
    const row = rows.at(-1);
    if (row?.at(-1) === day - 1) row.push(day);
    else rows.push([day]);
  }
  const said = rows.flatMap((row) => (row.length < 3 ? row.map(dayName) : [`${dayName(row[0] as number)} – ${dayName(row.at(-1) as number)}`]));
  return said.join(", ");
}

export function hoursWords({ days, spans }: Hours): string {
  const times = spans.map((span) => span.replace("-", "–"));
  const last = times.at(-1) ?? "";
  const list = times.length < 2 ? last : t("hours.and", { list: times.slice(0, -1).join(", "), last });
  return [dayWords(days), list].filter((part) => part !== "").join(", ");
}
