/* The path of a small chart, from zero (or the least value) to the greatest average, with gaps where steps are missing. */
import type { Bucket } from "../api/contract";

export interface Shape {
  path: string;
  min: number;
  max: number;
}

export function plot(buckets: readonly Bucket[], scale: number, width: number, height: number): Shape {
  const points = buckets.filter((bucket) => bucket[4] > 0).map(([ms, , avg]) => ({ ms, value: avg * scale }));
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return { path: "", min: 0, max: 0 };
  const min = Math.min(...points.map((point) => point.value));
  const max = Math.max(...points.map((point) => point.value));
  const span = Math.max(1, last.ms - first.ms);
  const step = usualStep(points.map((point) => point.ms));
  const low = Math.min(0, min);
  const high = Math.max(max, low + 1e-9);
  let before = -Infinity;
  const path = points.map(({ ms, value }) => {
    const pen = ms - before > step * 1.5 ? "M" : "L";
    before = ms;
    const x = ((ms - first.ms) / span) * width;
    const y = height - 2 - ((value - low) / (high - low)) * (height - 4);
    return `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  return { path: path.join(""), min, max };
}

function usualStep(times: readonly number[]): number {
  const steps = times.slice(1).map((ms, i) => ms - (times[i] as number));
  return steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 1;
}
