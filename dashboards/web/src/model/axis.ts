/* Where the ticks of a chart stand: round values, and round times of Việt Nam's clock. */
import { DAY, HOUR, ZONE_MS, type Bounds } from "./span";

/** From zero to at least `high`, about `count` steps of 1, 2 or 5 times a power of ten. */
export function valueTicks(high: number, count = 3): number[] {
  if (!(high > 0) || !Number.isFinite(high)) return [0, 1];
  const rough = high / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough * 0.999) ?? 10);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

const MINUTE = 60_000;
const TIME_STEPS = [MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY];

export interface TimeTick {
  at: number;
  /** The start of a day: labelled by its date. */
  day: boolean;
}

export function timeTicks({ from, to }: Bounds, count: number): TimeTick[] {
  const step = TIME_STEPS.find((one) => (to - from) / one <= count) ?? 60 * DAY;
  const ticks: TimeTick[] = [];
  for (let local = Math.ceil((from + ZONE_MS) / step) * step; local <= to + ZONE_MS; local += step) {
    ticks.push({ at: local - ZONE_MS, day: local % DAY === 0 });
  }
  return ticks;
}
