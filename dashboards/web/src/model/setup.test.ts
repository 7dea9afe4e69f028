import { describe, expect, it } from "vitest";
import { siteNames } from "./names";
import { topology } from "./sample";
import { groups } from "./setup";

const finding = (kind: string, subject: string) => ({ kind, subject, since: null, text: "" });

describe("a subject", () => {
  it.each([
    ["s2", "UBND phường Mỹ Tho", "s2"],
    ["s2/gateway", "UBND phường Mỹ Tho · gateway", "s2"],
    ["l3", "VTL-003 · UBND phường Mỹ Tho", "s2"],
    ["line/l3", "VTL-003 · UBND phường Mỹ Tho", "s2"],
    ["28360", "Xã Cái Bè", null],
    ["hand-off/a-1/ours", "hand-off/a-1/ours", null],
  ])("%s is called %s", (subject, words, site) => {
    expect(siteNames(topology)(subject)).toEqual({ words, site });
  });
});

describe("what is left to finish", () => {
  it("is gathered by kind, what hides trouble first, places by name", () => {
    const found = groups([finding("never-answered", "l5"), finding("volcano", "x"), finding("plan-refused", "s1"), finding("never-answered", "l1")], topology);
    expect(found.map((group) => [group.kind, group.places.map((place) => place.subject)])).toEqual([
      ["plan-refused", ["s1"]],
      ["never-answered", ["l1", "l5"]],
      ["volcano", ["x"]],
    ]);
  });
});
