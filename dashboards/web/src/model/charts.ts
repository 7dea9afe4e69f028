/*
 * What the charts of a site show and where it is asked: round trip and loss of each line, traffic of the gateway's
 * interfaces. A line with an agent is told by its own liveness packets; without, by what the core agent asks.
 */
import type { Bucket, Line } from "../api/contract";
import { hasAgent } from "./verdict";
import { at, rates } from "./trace";

export interface Trace {
  key: string;
  label: string;
  buckets: Bucket[];
}

export type Quantity = "rtt" | "loss" | "traffic";

/** A series to ask for, and how its values become what is drawn. */
export interface Source {
  quantity: Quantity;
  key: string;
  label: string;
  metric: string;
  check: string;
  draw: (buckets: Bucket[], stepMs: number) => Bucket[];
}

export const UNITS: Record<Quantity, { unit: string; digits: number; atLeast: number }> = {
  rtt: { unit: "ms", digits: 1, atLeast: 5 },
  loss: { unit: "%", digits: 1, atLeast: 2 },
  traffic: { unit: "Mb/s", digits: 2, atLeast: 0.1 },
};

const times =
  (factor: number) =>
  (buckets: Bucket[]): Bucket[] =>
    buckets.map(([ms, min, avg, max, count]) => [ms, min * factor, avg * factor, max * factor, count]);

/** Success of 0 or 1 as loss in per cent: what was greatest becomes least. */
const failures = (buckets: Bucket[]): Bucket[] =>
  buckets.map(([ms, min, avg, max, count]) => [ms, (1 - max) * 100, (1 - avg) * 100, (1 - min) * 100, count]);

export function sourcesOf(observe: string, lines: readonly Line[], interfaces: readonly string[]): Source[] {
  const own = hasAgent(observe);
  const ofLines = lines.flatMap((line): Source[] => {
    const common = { key: line.id, label: line.circuit, check: own ? `liveness/${line.id}` : `line/${line.id}` };
    return [
      { ...common, quantity: "rtt", metric: own ? "liveness_rtt_seconds" : "probe_duration_seconds", draw: times(1000) },
      { ...common, quantity: "loss", metric: own ? "liveness_loss_ratio" : "probe_success", draw: own ? times(100) : failures },
    ];
  });
  const ofInterfaces = interfaces.flatMap((check): Source[] => [
    { quantity: "traffic", key: `${check}/in`, label: `${check} ↓`, metric: "ifHCInOctets", check, draw: rates },
    { quantity: "traffic", key: `${check}/out`, label: `${check} ↑`, metric: "ifHCOutOctets", check, draw: rates },
  ]);
  return [...ofLines, ...ofInterfaces];
}

export interface Reading {
  quantity: Quantity;
  label: string;
  value: number;
}

/** What every trace says at an instant; one that was not measured then says nothing. */
export function readingsAt(panels: readonly { quantity: Quantity; traces: readonly Trace[] }[], instant: number, stepMs: number): Reading[] {
  return panels.flatMap(({ quantity, traces }) =>
    traces.flatMap((trace) => {
      const bucket = at(trace.buckets, instant, stepMs);
      return bucket ? [{ quantity, label: trace.label, value: bucket[2] }] : [];
    }),
  );
}

/** When anything was measured last; `null` for never. */
export function newest(traces: readonly Trace[], stepMs: number): number | null {
  const ends = traces.flatMap((trace) => trace.buckets.filter((bucket) => bucket[4] > 0).map((bucket) => bucket[0] + stepMs));
  return ends.length === 0 ? null : ends.reduce((a, b) => Math.max(a, b));
}
