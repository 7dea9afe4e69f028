import { describe, expect, it } from "vitest";
import { refusal, SHEET_MAX } from "../api/sheet";
import { countWords, writes } from "./sheet";

const none = { added: 0, changed: 0, gone: 0, removed: 0, unchanged: 0 };

describe("a file", () => {
  it.each([
    ["danh-muc.xlsx", 10, null],
    ["DANH-MUC.CSV", 10, null],
    ["danh-muc.xls", 10, "kind"],
    ["xlsx", 10, "kind"],
    ["danh-muc.csv", 0, "empty"],
    ["danh-muc.xlsx", SHEET_MAX + 1, "size"],
  ])("%s of %d octets is refused for: %s", (name, size, why) => {
    expect(refusal({ name, size })).toBe(why);
  });
});

describe("what an import would do", () => {
  it("is counted in words, without zeros", () => {
    expect(countWords({ ...none, added: 3, unchanged: 1296 })).toBe("3 mới, 1.296 giữ nguyên");
    expect(countWords({ ...none, gone: 2, removed: 1 })).toBe("1 bỏ đi, 2 không còn trong tệp (vẫn giữ)");
    expect(countWords(none)).toBe("không có");
  });

  it("can be accepted where something would be written and nothing is wrong", () => {
    const preview = { ...none, digest: "d", errors: [], error_count: 0, warnings: [], items: [] };
    expect(writes({ ...preview, added: 1 })).toBe(true);
    expect(writes({ ...preview, gone: 1, unchanged: 9 })).toBe(false);
    const error = { sheet: "", row: 2, column: "A", title: null, cell: null, message: "x" };
    expect(writes({ ...preview, added: 1, errors: [error] })).toBe(false);
  });
});
