import { describe, expect, it } from "vitest";
import { incident, topology } from "./sample";
import { bandsOf, findingsOf, findingsOfLine, incidentsOf, linesAt } from "./site";

const root = (kind: string, id: string) => ({ kind, id, name: id });
const at = (text: string) => Date.parse(`2026-11-22T${text}:00.000Z`);

describe("what belongs to a site", () => {
  it("are incidents that touch it, its lines, its devices and its agent", () => {
    const all = [
      incident({ id: "touches", root: root("carrier", "a"), affected: ["s1", "s2"] }),
      incident({ id: "line", root: root("line", "l3"), affected: [] }),
      incident({ id: "device", root: root("device", "s2-cam"), affected: [] }),
      incident({ id: "agent", root: root("agent", "s2"), affected: [] }),
      incident({ id: "of another site", root: root("line", "l1"), affected: ["s1"] }),
      incident({ id: "another kind of the same name", root: root("pop", "s2"), affected: [] }),
    ];
    const here = incidentsOf("s2", all, topology, [{ id: "s2-cam" }]);
    expect(here.map((one) => one.id).sort()).toEqual(["agent", "device", "line", "touches"]);
  });

  it("are incidents under an id it had before", () => {
    const all = [incident({ id: "touched then", affected: ["old"] }), incident({ id: "agent then", root: root("agent", "old"), affected: [] })];
    expect(incidentsOf("s2", all, topology, [])).toEqual([]);
    expect(incidentsOf("s2", all, topology, [], ["old"])).toHaveLength(2);
  });

  it("are findings about it, its checks and its lines, and no others", () => {
    const subjects = ["s2", "s2/gateway", "l3", "line/l3", "s22", "line/l1", "hand-off/a-1/ours"];
    const found = findingsOf("s2", subjects.map((subject) => ({ kind: "never-answered", subject, since: null, text: "" })), topology);
    expect(found.map((one) => one.subject)).toEqual(["s2", "s2/gateway", "l3", "line/l3"]);
    expect(findingsOfLine("l3", found).map((one) => one.subject)).toEqual(["l3", "line/l3"]);
  });

  it("are its lines, the primary first", () => {
    const swapped = { ...topology, lines: topology.lines.map((line) => (line.id === "l2" ? { ...line, role: "backup" } : line)) };
    expect(linesAt("s2", swapped).map((line) => line.id)).toEqual(["l3", "l2"]);
  });
});

describe("bands of incidents", () => {
  const lasting = (id: string, from: string, to: string | null, change = {}) =>
    incident({ id, began: new Date(at(from)).toISOString(), closed: to === null ? null : new Date(at(to)).toISOString(), state: to === null ? "open" : "closed", ...change });

  it("are cut to what is shown, and one that lasts reaches its end", () => {
    const bands = bandsOf([lasting("a", "01:00", "03:00"), lasting("b", "05:00", null)], { from: at("02:00"), to: at("06:00") });
    expect(bands.map(({ id, from, to }) => [id, from, to])).toEqual([["a", at("02:00"), at("03:00")], ["b", at("05:00"), at("06:00")]]);
  });

  it("that overlap stand in lanes of their own", () => {
    const bands = bandsOf([lasting("a", "01:00", "03:00"), lasting("b", "02:00", "04:00"), lasting("c", "03:00", "05:00")], { from: at("00:00"), to: at("06:00") });
    expect(bands.map(({ id, lane }) => [id, lane])).toEqual([["a", 0], ["b", 1], ["c", 0]]);
  });

  it("leave out what ended before it was told, and what lies outside", () => {
    const bands = bandsOf([lasting("a", "01:00", "02:00", { opened: null }), lasting("b", "01:00", "02:00")], { from: at("03:00"), to: at("06:00") });
    expect(bands).toEqual([]);
    expect(bandsOf([lasting("a", "01:00", "02:00", { opened: null })], { from: at("00:00"), to: at("06:00") })).toEqual([]);
  });
});
