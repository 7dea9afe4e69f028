import { describe, expect, it } from "vitest";
import type { Maintenance } from "../api/site";
import { offers, ordered, phaseOf, subjectName, subjectsOf, touches, wasDropped } from "./maintenance";
import { incident, topology } from "./sample";

const now = Date.parse("2026-11-22T09:00:00Z");
const window = (id: string, from: string, to: string, items = [{ kind: "site", id: "s2" }]): Maintenance => ({
  id,
  items,
  from: `2026-11-22T${from}:00.000Z`,
  to: `2026-11-22T${to}:00.000Z`,
  reason: "thay nguồn",
  by: "u",
});

describe("maintenance", () => {
  it("stands from its start up to its end", () => {
    expect(phaseOf(window("a", "09:00", "10:00"), now)).toBe("now");
    expect(phaseOf(window("a", "08:00", "09:00"), now)).toBe("over");
    expect(phaseOf(window("a", "09:01", "10:00"), now)).toBe("coming");
  });

  it("that stands comes first, then what is next, then what was last", () => {
    const all = [window("old", "01:00", "02:00"), window("later", "12:00", "13:00"), window("next", "10:00", "11:00"), window("new", "03:00", "04:00"), window("now", "08:00", "10:00")];
    expect(ordered(all, now).map((one) => one.id)).toEqual(["now", "next", "later", "new", "old"]);
  });

  it.each([
    ["site", "s2", true],
    ["site", "s1", false],
    ["commune", "28261", true],
    ["line", "l3", true],
    ["pop", "p1", true],
    ["carrier", "b", true],
    ["device", "s2", false],
  ])("of %s %s touches the site: %s", (kind, id, yes) => {
    expect(touches(window("a", "09:00", "10:00", [{ kind, id }]), "s2", topology)).toBe(yes);
  });

  it("of an incident is its root, or the sites it touches where the root is no thing", () => {
    expect(subjectsOf(incident({ root: { kind: "line", id: "l1", name: "VNP-001" } }))).toEqual([{ kind: "line", id: "l1" }]);
    const group = incident({ root: { kind: "group", id: "g", name: "g" }, affected: ["s1", "s2"] });
    expect(subjectsOf(group)).toEqual([{ kind: "site", id: "s1" }, { kind: "site", id: "s2" }]);
  });

  it("was dropped when it ended before it began", () => {
    expect(wasDropped(window("a", "12:00", "09:00"))).toBe(true);
    expect(wasDropped(window("b", "08:00", "09:00"))).toBe(false);
  });

  it("is found by what people type, wider things first", () => {
    expect(offers("mỹ tho", topology, 9)).toEqual([{ kind: "commune", id: "28261" }, { kind: "site", id: "s2" }]);
    expect(offers("vnp-001", topology, 9)).toEqual([{ kind: "line", id: "l1" }]);
    expect(offers("phuong", topology, 1)).toHaveLength(1);
    expect(offers(" ", topology, 9)).toEqual([]);
  });

  it("names what people know", () => {
    expect(subjectName({ kind: "line", id: "l1" }, topology)).toBe("VNP-001");
    expect(subjectName({ kind: "commune", id: "28261" }, topology)).toBe("Phường Mỹ Tho");
    expect(subjectName({ kind: "feeder", id: "473" }, topology)).toBe("473");
  });
});
