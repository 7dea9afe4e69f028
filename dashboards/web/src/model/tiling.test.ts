import { describe, expect, it } from "vitest";
import { areaWidth, columnsOf, namesThatFit, neighbour, tiling, type Area, type Measures } from "./tiling";

const measures: Measures = { gap: 4, padX: 20, padY: 16, header: 24, footer: 40, minTile: 30, maxTile: 110 };
const dongThap: Area[] = [9, 9, 6, 9, 5, 6, 8, 12, 4, 12, 6, 16].map((communes) => ({ communes, minWidth: 130 }));

function bands(areas: Area[], width: number, fit: ReturnType<typeof tiling>): number {
  let count = 1;
  let used = 0;
  for (const one of areas.map((area) => areaWidth(area, fit, measures))) {
    if (used > 0 && used + measures.gap + one > width) {
      count += 1;
      used = one;
    } else used += (used > 0 ? measures.gap : 0) + one;
  }
  return count;
}

describe("the tile map", () => {
  it.each([
    [1000, 700],
    [1360, 900],
    [700, 650],
    [2400, 1200],
  ])("of 102 communes fits %d × %d", (width, height) => {
    const fit = tiling(dongThap, { width, height }, measures);
    const band = 24 + 40 + 16 + fit.rows * (fit.tall + 4) - 4;
    expect(bands(dongThap, width, fit) * (band + 4) - 4).toBeLessThanOrEqual(height);
    expect(fit.tall).toBeGreaterThanOrEqual(fit.tile);
  });

  it("gives larger tiles to a larger screen", () => {
    const small = tiling(dongThap, { width: 1000, height: 700 }, measures);
    const large = tiling(dongThap, { width: 2400, height: 1200 }, measures);
    expect(large.tile).toBeGreaterThan(small.tile);
  });

  it("uses the full width with a fixed tile where the page scrolls", () => {
    const fit = tiling(dongThap, { width: 340, height: Infinity }, { ...measures, maxTile: 32 });
    expect(fit.tile).toBe(32);
    expect(columnsOf(16, fit)).toBe(9);
    expect(columnsOf(4, fit)).toBe(4);
  });

  it("scrolls rather than shrink below the smallest tile", () => {
    expect(tiling([{ communes: 3321, minWidth: 100 }], { width: 600, height: 300 }, measures).tile).toBe(30);
  });

  it("survives a province without areas and a room without size", () => {
    expect(tiling([], { width: 0, height: 0 }, measures).rows).toBeGreaterThanOrEqual(1);
  });
});

describe("names under an area", () => {
  it("are as many as two lines hold, and at least one", () => {
    expect(namesThatFit(["Tân Thới", "Tân Phú Đông", "Tân Hòa"], 40)).toHaveLength(3);
    expect(namesThatFit(["Tân Thới", "Tân Phú Đông", "Tân Hòa"], 10)).toEqual(["Tân Thới", "Tân Phú Đông"].slice(0, 2));
    expect(namesThatFit(["Trung tâm rất rất dài tên"], 3)).toHaveLength(1);
    expect(namesThatFit([], 10)).toEqual([]);
  });
});

describe("arrow keys", () => {
  //  0 1   4
  //  2 3   5
  const spots = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 0, y: 10 },
    { x: 10, y: 10 },
    { x: 40, y: 0 },
    { x: 40, y: 10 },
  ];

  it.each([
    [0, "ArrowRight", 1],
    [0, "ArrowLeft", 0],
    [5, "ArrowRight", 5],
    [1, "ArrowDown", 3],
    [3, "ArrowUp", 1],
    [4, "ArrowDown", 5],
    [0, "ArrowUp", 0],
    [2, "End", 5],
    [3, "Home", 0],
    [3, "x", 3],
  ])("from %d, %s leads to %d", (from, key, to) => {
    expect(neighbour(spots, from, key)).toBe(to);
  });

  it("start at the first tile when the current one is gone", () => {
    expect(neighbour(spots, -1, "ArrowDown")).toBe(0);
  });
});
