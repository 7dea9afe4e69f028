import { describe, expect, it } from "vitest";
import type { Bucket } from "../api/contract";
import { plot } from "./spark";

const bucket = (minute: number, avg: number, count = 6): Bucket => [minute * 60_000, avg, avg, avg, count];

describe("a small chart", () => {
  it("starts a new stroke after a gap: a missing step is never bridged", () => {
    const { path } = plot([bucket(0, 1), bucket(1, 2), bucket(2, 1), bucket(9, 1), bucket(10, 2)], 1, 100, 50);
    expect(path.match(/M/g)).toHaveLength(2);
  });

  it("leaves out steps that hold no sample", () => {
    expect(plot([bucket(0, 1), bucket(1, 99, 0), bucket(2, 3)], 1, 100, 50).max).toBe(3);
  });

  it("spans from zero, and stays inside its box", () => {
    const { path, min, max } = plot([bucket(0, 0.01), bucket(1, 0.02)], 1000, 100, 50);
    expect([min, max]).toEqual([10, 20]);
    expect(path).toBe("M0.0 25.0L100.0 2.0");
  });

  it("is empty without samples", () => {
    expect(plot([], 1, 100, 50).path).toBe("");
  });
});
