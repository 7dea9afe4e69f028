import { describe, expect, it } from "vitest";
import type { Bucket } from "../api/contract";
import { newest, readingsAt, sourcesOf } from "./charts";
import { topology } from "./sample";

const lines = topology.lines.filter((line) => line.site === "s2");
const bucket = (ms: number, avg: number, count = 1): Bucket => [ms, avg, avg, avg, count];

describe("the charts of a site", () => {
  it("ask the line's own packets where an agent stands, the core agent's question where none does", () => {
    const checks = (observe: string) => sourcesOf(observe, lines, []).map(({ check, metric }) => `${check} ${metric}`);
    expect(checks("gateway")).toEqual([
      "liveness/l2 liveness_rtt_seconds",
      "liveness/l2 liveness_loss_ratio",
      "liveness/l3 liveness_rtt_seconds",
      "liveness/l3 liveness_loss_ratio",
    ]);
    expect(checks("ping-only")[1]).toBe("line/l2 probe_success");
  });

  it("show both ways of each interface", () => {
    const traffic = sourcesOf("gateway", [], ["wan"]);
    expect(traffic.map(({ metric, label }) => `${label} ${metric}`)).toEqual(["wan ↓ ifHCInOctets", "wan ↑ ifHCOutOctets"]);
  });

  it("turn success into loss, in per cent", () => {
    const loss = sourcesOf("reflector", lines, [])[1];
    expect(loss?.draw([[0, 0, 0.75, 1, 4]], 1000)).toEqual([[0, 0, 25, 100, 4]]);
  });

  it("read nothing where nothing was measured", () => {
    const panels = [{ quantity: "rtt" as const, traces: [{ key: "a", label: "A", buckets: [bucket(0, 3)] }, { key: "b", label: "B", buckets: [bucket(0, 3, 0)] }] }];
    expect(readingsAt(panels, 500, 1000)).toEqual([{ quantity: "rtt", label: "A", value: 3 }]);
    expect(readingsAt(panels, 5000, 1000)).toEqual([]);
  });

  it("know when anything was measured last", () => {
    expect(newest([{ key: "a", label: "A", buckets: [bucket(0, 3), bucket(1000, 3, 0)] }], 1000)).toBe(1000);
    expect(newest([], 1000)).toBeNull();
  });
});
