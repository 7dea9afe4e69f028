import { describe, expect, it } from "vitest";
import { timeTicks, valueTicks } from "./axis";

describe("ticks of values", () => {
  it.each([
    [23, [0, 10, 20, 30]],
    [1, [0, 0.5, 1]],
    [0.04, [0, 0.02, 0.04]],
    [100, [0, 50, 100]],
    [0, [0, 1]],
    [Number.NaN, [0, 1]],
  ])("up to %d are %j", (high, ticks) => {
    expect(valueTicks(high)).toEqual(ticks);
  });
});

describe("ticks of time", () => {
  const at = (text: string) => Date.parse(`2026-11-${text}:00+07:00`);

  it("stand at round times of Việt Nam's clock", () => {
    const ticks = timeTicks({ from: at("22T06:50"), to: at("22T12:50") }, 6);
    expect(ticks.map((tick) => tick.at)).toEqual([7, 8, 9, 10, 11, 12].map((hour) => at(`22T${String(hour).padStart(2, "0")}:00`)));
  });

  it("know midnight there, not midnight in UTC", () => {
    const ticks = timeTicks({ from: at("21T20:00"), to: at("22T12:00") }, 6);
    expect(ticks.filter((tick) => tick.day).map((tick) => tick.at)).toEqual([at("22T00:00")]);
  });

  it("are days over a month", () => {
    const ticks = timeTicks({ from: at("01T00:00"), to: at("30T00:00") }, 6);
    expect(ticks.every((tick) => tick.day)).toBe(true);
    expect(ticks.length).toBeLessThanOrEqual(7);
  });
});
