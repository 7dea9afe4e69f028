import { afterEach, describe, expect, it } from "vitest";
import { hoursWords } from "./hours";
import { language } from "./words.svelte";

afterEach(() => {
  language.lang = "vi";
});

const WEEK = ["mon", "tue", "wed", "thu", "fri"];
const office = { days: WEEK, spans: ["07:00-11:30", "13:00-17:00"] };

describe("working hours", () => {
  it("are said as people say them", () => {
    expect(hoursWords(office)).toBe("Thứ Hai – Thứ Sáu, 07:00–11:30 và 13:00–17:00");
    expect(hoursWords({ days: [...WEEK, "sun"], spans: ["07:00-17:00"] })).toBe("Thứ Hai – Thứ Sáu, Chủ Nhật, 07:00–17:00");
  });

  it("name two days in a row one by one, and seven as every day", () => {
    expect(hoursWords({ days: ["sat", "sun"], spans: [] })).toBe("Thứ Bảy, Chủ Nhật");
    expect(hoursWords({ days: [...WEEK, "sat", "sun"], spans: ["00:00-24:00"] })).toBe("Hằng ngày, 00:00–24:00");
  });

  it("are said in English too", () => {
    language.lang = "en";
    expect(hoursWords(office)).toBe("Monday – Friday, 07:00–11:30 and 13:00–17:00");
  });
});
