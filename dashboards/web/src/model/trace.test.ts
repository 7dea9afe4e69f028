import { describe, expect, it } from "vitest";
import type { Bucket } from "../api/contract";
import { at, rates, runs, strokes } from "./trace";

const STEP = 10_000;
const bucket = (n: number, avg: number, count = 6): Bucket => [n * STEP, avg - 1, avg, avg + 1, count];
const same = (value: number) => value;

describe("a series", () => {
  it("breaks where a step is missing or empty", () => {
    const found = runs([bucket(0, 5), bucket(1, 5), bucket(3, 5), bucket(4, 5, 0), bucket(5, 5)], STEP);
    expect(found.map((run) => run.map(([ms]) => ms / STEP))).toEqual([[0, 1], [3], [5]]);
  });

  it("is drawn in the middle of each step, with a band from least to greatest", () => {
    const { line, band, dots } = strokes([bucket(0, 5), bucket(1, 7)], STEP, same, same);
    expect(line).toBe("M5000.0 5.0L15000.0 7.0");
    expect(band).toBe("M5000.0 6.0L15000.0 8.0L15000.0 6.0L5000.0 4.0Z");
    expect(dots).toEqual([]);
  });

  it("shows a step that stands alone as a dot", () => {
    expect(strokes([bucket(0, 5)], STEP, same, same)).toEqual({ line: "", band: "", dots: [{ x: 5000, y: 5 }] });
  });

  it("is read where the pointer is, and only where something was measured", () => {
    const all = [bucket(0, 5), bucket(1, 7, 0)];
    expect(at(all, 9_999, STEP)?.[2]).toBe(5);
    expect(at(all, 10_000, STEP)).toBeUndefined();
  });
});

describe("a counter of octets", () => {
  const counter = (n: number, octets: number): Bucket => [n * STEP, octets, octets, octets, 1];

  it("becomes Mb/s", () => {
    expect(rates([counter(0, 0), counter(1, 12_500_000)], STEP)).toEqual([[STEP, 10, 10, 10, 1]]);
  });

  it("tells no rate over a gap or where it began anew", () => {
    expect(rates([counter(0, 0), counter(5, 99), counter(6, 1)], STEP)).toEqual([]);
  });
});
