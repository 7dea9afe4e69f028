import { describe, expect, it } from "vitest";
import { bounds, DAY, fixed, fromInput, HOUR, readSpan, shifted, stepOf, toInput, USUAL, writeSpan, type Span } from "./span";

const now = Date.parse("2026-11-22T09:00:00Z");
const read = (query: string) => readSpan(new URLSearchParams(query));

describe("the stretch of time in the address", () => {
  it.each(["span=1h", "span=30d", "from=2026-11-22T07%3A30&to=2026-11-22T09%3A00"])("%s comes back as it was written", (query) => {
    expect(writeSpan(read(query)).toString()).toBe(query);
  });

  it("is the last 24 hours where nothing or nonsense is said", () => {
    for (const query of ["", "span=9y", "from=x&to=y", "from=2026-11-22T09:00&to=2026-11-22T07:00", "from=1970-01-01T00:00&to=2026-01-01T00:00"]) {
      expect(read(query)).toEqual(USUAL);
    }
    expect(writeSpan(USUAL).size).toBe(0);
  });

  it("is read in Việt Nam's time", () => {
    expect(fromInput("2026-11-22T07:30")).toBe(Date.parse("2026-11-22T00:30:00Z"));
    expect(toInput(Date.parse("2026-11-21T17:00:00Z"))).toBe("2026-11-22T00:00");
    expect(fromInput("2026-13-40T07:30")).toBeNull();
  });
});

describe("a stretch", () => {
  it("of a live page moves with the clock", () => {
    expect(bounds({ live: true, ms: HOUR }, now)).toEqual({ from: now - HOUR, to: now });
  });

  it("steps back into the past and stays there, and comes live again at the present", () => {
    const back = shifted({ live: true, ms: HOUR }, -1, now);
    expect(back).toEqual({ live: false, from: now - 2 * HOUR, to: now - HOUR });
    expect(shifted(back, 1, now)).toEqual({ live: true, ms: HOUR });
  });

  it("of a length of its own does not run into the future", () => {
    const own = fixed(now - 2 * HOUR, now - HOUR / 2) as Span;
    expect(shifted(own, 1, now)).toBe(own);
  });

  it("is at least five minutes long", () => {
    expect(fixed(now, now + 1000)).toEqual({ live: false, from: now, to: now + 300_000 });
    expect(fixed(now, now)).toBeNull();
  });

  it("asks for about 300 points, none finer than 10 s", () => {
    expect(stepOf({ from: now - HOUR, to: now })).toBe(20);
    expect(stepOf({ from: now - 5 * 60_000, to: now })).toBe(10);
    expect(stepOf({ from: now - 30 * DAY, to: now })).toBe(14_400);
    expect(stepOf({ from: now - 400 * DAY, to: now })).toBe(172_800);
  });
});
