/*
 * A series as strokes of a chart: the average as a line, least to greatest as a band around it. A missing step is a
 * gap, never a bridge: where nothing was measured nothing is drawn.
 */
import type { Bucket } from "../api/contract";

export interface Strokes {
  line: string;
  band: string;
  /** Steps that stand alone between gaps; a line of one point would be invisible. */
  dots: { x: number; y: number }[];
}

export type Scale = (value: number) => number;

/** Steps in a row, none missing; `stepMs` is how far apart they should be. */
export function runs(buckets: readonly Bucket[], stepMs: number): Bucket[][] {
  const found: Bucket[][] = [];
  let before = -Infinity;
  for (const bucket of buckets) {
    if (bucket[4] === 0) continue;
    if (bucket[0] - before > stepMs * 1.5) found.push([]);
    found.at(-1)?.push(bucket);
    before = bucket[0];
  }
  return found;
}

export function strokes(buckets: readonly Bucket[], stepMs: number, x: Scale, y: Scale): Strokes {
  const point = (ms: number, value: number) => `${x(ms + stepMs / 2).toFixed(1)} ${y(value).toFixed(1)}`;
  const all: Strokes = { line: "", band: "", dots: [] };
  for (const run of runs(buckets, stepMs)) {
    const [first] = run;
    if (run.length === 1 && first) all.dots.push({ x: x(first[0] + stepMs / 2), y: y(first[2]) });
    if (run.length < 2) continue;
    all.line += `M${run.map(([ms, , avg]) => point(ms, avg)).join("L")}`;
    const high = run.map(([ms, , , max]) => point(ms, max));
    const low = run.map(([ms, min]) => point(ms, min)).reverse();
    all.band += `M${[...high, ...low].join("L")}Z`;
  }
  return all;
}

/** Mb/s from a counter of octets: what it grew by from step to step. A counter that went back began anew: no rate is told. */
export function rates(buckets: readonly Bucket[], stepMs: number): Bucket[] {
  return runs(buckets, stepMs).flatMap((run) =>
    run.slice(1).flatMap((bucket, i): Bucket[] => {
      const before = run[i] as Bucket;
      const rate = ((bucket[3] - before[3]) * 8) / 1000 / (bucket[0] - before[0]);
      return rate < 0 ? [] : [[bucket[0], rate, rate, rate, bucket[4]]];
    }),
  );
}

/** The step that holds `at`, if one was measured there. */
export function at(buckets: readonly Bucket[], instant: number, stepMs: number): Bucket | undefined {
  return buckets.find(([ms, , , , count]) => count > 0 && ms <= instant && instant < ms + stepMs);
}
