import { describe, expect, it } from "vitest";
import type { Availability } from "../api/site";
import { cells, share, totals } from "./availability";

const MINUTE = 60_000;
const START = Date.parse("2026-11-22T00:00:00.000Z");

/** A quarter of an hour; `told` says how many minutes of it were what. */
function quarter(n: number, told: { up?: number; down?: number; degraded?: number; unknown?: number; off?: number; maintenance?: number }): Availability {
  const ms = (minutes = 0) => minutes * MINUTE;
  return {
    from: new Date(START + n * 15 * MINUTE).toISOString(),
    to: new Date(START + (n + 1) * 15 * MINUTE).toISOString(),
    up_ms: ms(told.up),
    degraded_ms: ms(told.degraded),
    down_ms: ms(told.down),
    unknown_ms: ms(told.unknown),
    off_ms: ms(told.off),
    maintenance_ms: ms(told.maintenance),
  };
}

describe("a cell of the bar", () => {
  it("is stacked of what its time was, trouble on top", () => {
    const [cell] = cells([quarter(0, { down: 3, up: 12 })]);
    expect(cell?.parts).toEqual([{ face: "up", share: 0.8 }, { face: "down", share: 0.2 }]);
  });

  it("is unknown for the time nobody recorded, never up", () => {
    expect(cells([quarter(0, { up: 6 })])[0]?.parts).toEqual([{ face: "up", share: 0.4 }, { face: "unknown", share: 0.6 }]);
    expect(cells([quarter(0, {})])[0]?.parts).toEqual([{ face: "unknown", share: 1 }]);
  });
});

describe("the sums", () => {
  const items = [quarter(0, { up: 15 }), quarter(1, { down: 5, up: 10 }), quarter(2, { off: 15 }), quarter(3, { maintenance: 5, unknown: 10 })];

  it("name each standing once, most critical first, and no zeros", () => {
    expect(totals(items).map(({ face, ms }) => `${face} ${ms / MINUTE}`)).toEqual(["down 5", "unknown 10", "off_hours 15", "maintenance 5", "up 25"]);
  });

  it("judge neither time off, nor maintenance, nor what nobody could tell", () => {
    expect(share(items)).toBeCloseTo(25 / 30);
    expect(share([quarter(0, { off: 15 })])).toBeNull();
    expect(share([])).toBeNull();
  });

  it("count a site on its second line as available", () => {
    expect(share([quarter(0, { degraded: 15 })])).toBe(1);
  });
});
