import { afterEach, describe, expect, it } from "vitest";
import { clock, clockSeconds, date, dayMonth, dial, duration, moment } from "./time";
import { language } from "./words.svelte";

afterEach(() => {
  language.lang = "vi";
});

const at = new Date("2026-11-21T22:03:06.000Z");

describe("time", () => {
  it("is Việt Nam's, wherever the browser stands", () => {
    expect(clockSeconds(at)).toBe("05:03:06");
    expect(date(at)).toBe("22/11/2026");
  });

  it("writes a day without its year the same way in both languages", () => {
    expect(dayMonth(at)).toBe("22/11");
    language.lang = "en";
    expect(dayMonth(at)).toBe("22/11");
  });

  it("says midnight as 00", () => {
    expect(clock(new Date("2026-11-21T17:00:00Z"))).toBe("00:00");
  });

  it("names the day only when it is another one", () => {
    expect(moment(at, new Date("2026-11-22T16:59:59Z"))).toBe("05:03");
    expect(moment(at, new Date("2026-11-22T17:00:00Z"))).toBe("05:03 22/11/2026");
  });
});

describe("a duration", () => {
  it.each([
    [0, "0 giây"],
    [-5_000, "0 giây"],
    [45_900, "45 giây"],
    [60_000, "1 phút"],
    [72 * 60_000, "1 giờ 12 phút"],
    [3_600_000, "1 giờ"],
    [25 * 3_600_000, "1 ngày 1 giờ"],
    [48 * 3_600_000, "2 ngày"],
  ])("of %d ms is %s", (ms, words) => {
    expect(duration(ms)).toBe(words);
  });

  it("counts in English", () => {
    language.lang = "en";
    expect(duration(61 * 60_000)).toBe("1 hour 1 minute");
  });
});

describe("a telephone", () => {
  it("is dialled by its digits", () => {
    expect(dial("0277 000 1001")).toBe("tel:02770001001");
    expect(dial("+84 (277) 3.856.789")).toBe("tel:+842773856789");
  });
});
