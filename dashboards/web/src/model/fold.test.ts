import { describe, expect, it } from "vitest";
import { fold, search } from "./fold";
import { topology } from "./sample";

const titles = (query: string) => search(topology, query).map((one) => one.title);

describe("search", () => {
  it("folds diacritics and đ", () => {
    expect(fold("Đạo Thạnh")).toBe("dao thanh");
    expect(fold("Mỹ Tho".normalize("NFD"))).toBe("my tho");
  });

  it("finds a commune typed without diacritics, or with them", () => {
    expect(titles("my tho")).toEqual(["Phường Mỹ Tho"]);
    expect(titles("Mỹ Tho")).toEqual(["Phường Mỹ Tho"]);
    expect(titles("dao")).toEqual(["Phường Đạo Thạnh"]);
  });

  it("finds by code, site and circuit id", () => {
    expect(titles("28360")).toEqual(["Xã Cái Bè"]);
    expect(titles("hanh chinh")).toEqual(["Phường Mỹ Tho"]);
    expect(search(topology, "vtl-004")[0]).toEqual({
      commune: "28261",
      title: "Phường Mỹ Tho",
      detail: "VTL-004 · Trung tâm hành chính công",
    });
  });

  it("names a commune once and nothing for an empty query", () => {
    expect(titles("ubnd")).toHaveLength(3);
    expect(titles("  ")).toEqual([]);
    expect(titles("hà nội")).toEqual([]);
  });
});
