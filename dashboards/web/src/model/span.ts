/*
 * What stretch of time a page shows: the last hours, moving along, or two instants that stay. It lives in the
 * address (`?span=6h`, `?from=2026-11-22T07:30&to=2026-11-22T09:00`), written in Việt Nam's time.
 */
export type Span = { live: true; ms: number } | { live: false; from: number; to: number };

export interface Bounds {
  from: number;
  to: number;
}

const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** Việt Nam has no summer time: always UTC+7. */
export const ZONE_MS = 7 * HOUR;

/** The stretches offered, by the word that stands in the address. */
export const PRESETS = [
  ["1h", HOUR],
  ["6h", 6 * HOUR],
  ["24h", DAY],
  ["7d", 7 * DAY],
  ["30d", 30 * DAY],
] as const;

export const USUAL: Span = { live: true, ms: DAY };
const SHORTEST = 5 * MINUTE;
const LONGEST = 400 * DAY;

export function readSpan(query: URLSearchParams): Span {
  const preset = PRESETS.find(([word]) => word === query.get("span"));
  if (preset) return { live: true, ms: preset[1] };
  const from = fromInput(query.get("from") ?? "");
  const to = fromInput(query.get("to") ?? "");
  return (from !== null && to !== null && fixed(from, to)) || USUAL;
}

export function writeSpan(span: Span): URLSearchParams {
  if (!span.live) return new URLSearchParams({ from: toInput(span.from), to: toInput(span.to) });
  const word = PRESETS.find(([, ms]) => ms === span.ms)?.[0];
  return new URLSearchParams(word === undefined || span.ms === DAY ? {} : { span: word });
}

/** A stretch between two instants, at least 5 minutes long; `null` where the end is not after the start or too far from it. */
export function fixed(from: number, to: number): Span | null {
  if (!(to > from) || to - from > LONGEST) return null;
  const start = Math.floor(from / MINUTE) * MINUTE;
  return { live: false, from: start, to: Math.max(Math.ceil(to / MINUTE) * MINUTE, start + SHORTEST) };
}

export function bounds(span: Span, now: number): Bounds {
  return span.live ? { from: now - span.ms, to: now } : { from: span.from, to: span.to };
}

/** The stretch before (`-1`) or after (`1`) this one; what would reach beyond now moves with it again. */
export function shifted(span: Span, by: -1 | 1, now: number): Span {
  const { from, to } = bounds(span, now);
  const length = to - from;
  if (to + by * length < now) return fixed(from + by * length, to + by * length) ?? span;
  return PRESETS.some(([, ms]) => ms === length) ? { live: true, ms: length } : span;
}

/** Seconds that one point of a chart spans: about 300 points, never finer than the store's 10 s. */
export function stepOf({ from, to }: Bounds): number {
  const steps = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];
  const wanted = (to - from) / 1000 / 300;
  return steps.find((step) => step >= wanted) ?? 172_800;
}

/** UTC ms of `2026-11-22T07:30` in Việt Nam; `null` for what is no instant. */
export function fromInput(text: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(text)) return null;
  const at = Date.parse(`${text}:00Z`);
  return Number.isNaN(at) ? null : at - ZONE_MS;
}

export function toInput(at: number): string {
  return new Date(at + ZONE_MS).toISOString().slice(0, 16);
}
