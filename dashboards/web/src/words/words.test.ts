import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import en from "./en.json";
import vi from "./vi.json";
import { language, number, t, tWord, type Key } from "./words.svelte";

afterEach(() => {
  language.lang = "vi";
});

const holes = (phrase: string | object) =>
  [...new Set([...JSON.stringify(phrase).matchAll(/\{(\w+)\}/g)].map((hit) => hit[1]))].sort();

const sources = (readdirSync(new URL("..", import.meta.url), { recursive: true }) as string[])
  .filter((path) => /\.(svelte|ts)$/.test(path) && !path.endsWith(".test.ts"))
  .map((path) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8"))
  .join("\n");

/** Groups whose last part the collector chooses, or a state names. */
const COMPUTED =
  /^(state|kind|cause|root|timeline|evidence|finding|observe|line\.role|stream|incident\.(state|severity)|top|device|medium|change|field|span\.\d+[hd]|site\.off_outside|agent\.plan|maintenance\.(now|coming|over)|import\.(refused|kind|added|changed|gone|removed))(\.|$)/;

describe("the two dictionaries", () => {
  it("hold the same keys", () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(vi).sort());
  });

  it("have the same holes in every phrase", () => {
    const keys = Object.keys(vi) as Key[];
    expect(keys.filter((key) => holes(en[key]).join() !== holes(vi[key]).join())).toEqual([]);
  });

  it("hold no phrase that no screen uses", () => {
    const unused = Object.keys(vi).filter((key) => !COMPUTED.test(key) && !sources.includes(`"${key}"`) && !sources.includes(`'${key}'`));
    expect(unused).toEqual([]);
  });

  it("name no district: they ended on 2025-07-01", () => {
    expect(JSON.stringify(vi)).not.toMatch(/huyện/i);
    expect(JSON.stringify(en)).not.toMatch(/district/i);
  });
});

describe("a phrase", () => {
  it("fills its holes and writes numbers the language's way", () => {
    expect(t("sentence.up", { n: 3098, total: 3321 })).toBe("3.098/3.321 xã hoạt động");
    language.lang = "en";
    expect(t("sentence.up", { n: 3098, total: 3321 })).toBe("3,098/3,321 communes up");
  });

  it("has one form in Vietnamese and two in English", () => {
    expect(t("sentence.down", { n: 1 })).toBe("1 xã mất kết nối");
    language.lang = "en";
    expect(t("sentence.down", { n: 1 })).toBe("1 commune down");
    expect(t("sentence.down", { n: 2 })).toBe("2 communes down");
  });

  it("leaves a hole that nothing fills visible", () => {
    expect(t("done.ack")).toContain("{id}");
  });

  it("shows a word of a newer collector as it came", () => {
    expect(tWord("kind", "volcano")).toBe("volcano");
    expect(tWord("kind", "power")).toBe("Mất điện tại điểm");
  });

  it("writes a decimal comma in Vietnamese", () => {
    expect(number(1.44, 1)).toBe("1,4");
  });
});
