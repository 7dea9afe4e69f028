import { describe, expect, it } from "vitest";
import { incident, states, topology } from "./sample";
import { copyText, extentWords, isOpen, kindWords, linesOf, newestFirst, phaseOf, redact, rootName, verdictWords } from "./story";

const now = new Date("2026-11-21T22:03:00.000Z");
const candidates = (...pairs: [string, number][]) => pairs.map(([cause, probability]) => ({ cause, probability }));

describe("the cause in words", () => {
  it("is confirmed only when the collector says final", () => {
    expect(verdictWords({ final: true, candidates: candidates(["power", 1]) })).toBe("Đã xác định: mất điện");
  });

  it("suspects only the one that outweighs all others three times over", () => {
    expect(verdictWords({ final: false, candidates: candidates(["equipment", 0.2], ["line", 0.8]) })).toBe("Nghi lỗi đường truyền");
    expect(verdictWords({ final: false, candidates: candidates(["power", 0.3], ["line", 0.7]) })).toMatch(/^Chưa xác định/);
  });

  it("blames nobody while the set is open, and lists it by likelihood", () => {
    const open = { final: false, candidates: candidates(["equipment", 0.2], ["line", 0.45], ["power", 0.35]) };
    expect(verdictWords(open)).toBe("Chưa xác định: lỗi đường truyền, mất điện hoặc lỗi thiết bị tại chỗ");
  });

  it("without candidates is not determined", () => {
    expect(verdictWords({ final: false, candidates: [] })).toBe("Chưa xác định");
  });

  it("never speaks per cent", () => {
    expect(verdictWords({ final: false, candidates: candidates(["line", 0.94]) })).not.toMatch(/\d|%/);
  });
});

describe("an incident", () => {
  it("counts communes and sites apart", () => {
    expect(extentWords(incident({ affected: ["s1", "s2", "s3"] }), topology)).toBe("2 xã, 3 điểm bị ảnh hưởng");
    expect(extentWords(incident({ affected: [] }), topology)).toBe("");
  });

  it("calls its root by kind and name, once", () => {
    expect(rootName(incident({ root: { kind: "carrier", id: "a", name: "VNPT" } }))).toBe("Nhà mạng VNPT");
    expect(rootName(incident({ root: { kind: "group", id: "g", name: "Nhóm cùng sự cố 7" } }))).toBe("Nhóm cùng sự cố 7");
    expect(rootName(incident())).toBe("UBND phường Đạo Thạnh");
    expect(rootName(incident({ root: { kind: "pop", id: "p1", name: "Trạm VNPT Mỹ Tho" } }))).toBe("Trạm VNPT Mỹ Tho");
    expect(rootName(incident({ root: { kind: "pop", id: "p1", name: "p1" } }))).toBe("POP p1");
    expect(rootName(incident({ root: { kind: "collector", id: "collector", name: "collector" } }))).toBe("Máy chủ giám sát");
  });

  it.each([
    ["line", "l3", ["VTL-003"]],
    ["site", "s2", ["VNP-002", "VTL-003"]],
    ["carrier", "a", ["VNP-001", "VNP-002"]],
    ["pop", "p1", ["VNP-001", "VNP-002"]],
    ["core", "core", ["VNP-001", "VNP-002", "VTL-003"]],
    ["service", "portal", []],
    ["device", "s2-cam", []],
  ])("of root %s %s is about lines %j", (kind, id, circuits) => {
    const one = incident({ root: { kind, id, name: id }, affected: ["s1", "s2"] });
    expect(linesOf(one, topology).map((line) => line.circuit)).toEqual(circuits);
  });

  it("whose kind is a cause is only suspected of it until the cause is settled", () => {
    const power = { kind: "power", cause: { final: false, candidates: candidates(["power", 0.9], ["line", 0.1]) } };
    expect(kindWords(incident(power))).toBe("Nghi mất điện tại điểm");
    expect(kindWords(incident({ ...power, cause: { final: true, candidates: candidates(["power", 1]) } }))).toBe("Mất điện tại điểm");
    expect(kindWords(incident({ kind: "gateway-down" }))).toBe("Thiết bị cổng không trả lời");
  });

  it("is recovering once every site it touched works again", () => {
    const two = incident({ affected: ["s1", "s2"] });
    expect(phaseOf(two, states())).toBe("recovering");
    expect(phaseOf(two, states({ s2: { state: "down" } }))).toBe("open");
    expect(phaseOf(incident({ affected: ["s1"], state: "noticed" }), states({ s1: { state: "down" } }))).toBe("noticed");
    expect(phaseOf(incident({ affected: [] }), states())).toBe("open");
  });

  it("that another one took over is not open any more", () => {
    expect(isOpen(incident())).toBe(true);
    expect(isOpen(incident({ adopted_by: "SC-20261122-02" }))).toBe(false);
    expect(isOpen(incident({ state: "closed" }))).toBe(false);
  });

  it("stands before older ones", () => {
    const old = incident({ id: "SC-20261122-01" });
    const young = incident({ id: "SC-20261122-02", noticed: "2026-11-21T22:00:00.000Z" });
    expect([old, young].sort(newestFirst)[0]?.id).toBe("SC-20261122-02");
  });
});

describe("the text to paste", () => {
  it("says what, where, since when, why, which circuit and who is on it", () => {
    const cause = { final: false, candidates: candidates(["line", 0.9]) };
    expect(copyText(incident({ cause }), topology, now)).toBe(
      [
        "[SỰ CỐ] SC-20261122-01",
        "— DIỄN TẬP, không phải sự cố thật —",
        "UBND phường Đạo Thạnh: mất kết nối.",
        "1 xã, 1 điểm bị ảnh hưởng.",
        "Gồm: phường Đạo Thạnh",
        "Từ 04:51 ngày 22/11/2026, đã 12 phút.",
        "Nguyên nhân: Nghi lỗi đường truyền.",
        "Mã kênh: VNP-001",
        "Chưa có người nhận xử lý.",
      ].join("\n"),
    );
  });

  it("says when it is over and how long it took", () => {
    const closed = incident({ state: "closed", closed: "2026-11-21T22:33:00.000Z", rehearsal: false });
    const text = copyText(closed, topology, now);
    expect(text).toContain("[KHÔI PHỤC] SC-20261122-01");
    expect(text).toContain("Từ 04:51 đến 05:33 ngày 22/11/2026, 42 phút.");
    expect(text).not.toContain("DIỄN TẬP");
    expect(text).not.toContain("nhận xử lý");
  });

  it("carries no address, whatever somebody named a root", () => {
    const named = incident({ root: { kind: "device", id: "d", name: "gw 10.82.14.6 (b8:27:eb:01:02:03, fd00:82::1)" } });
    const text = copyText(named, topology, now);
    expect(text).not.toMatch(/10\.82|b8:27|fd00/);
    expect(text).toContain("[đã lược]");
  });
});

describe("redaction", () => {
  it.each(["192.168.1.1", "10.0.0.0/8", "10.1.2.3:8443", "b8-27-eb-01-02-03", "2001:db8::1", "fe80::1/64", "::1"])("removes %s", (address) => {
    expect(redact(`x ${address} y`)).toBe("x [đã lược] y");
  });

  it("keeps clock times, dates, telephones and circuit ids", () => {
    const kept = "04:51:06 22/11/2026 · 0277 000 0001 · DTP-VNP-2824911 · 5/102";
    expect(redact(kept)).toBe(kept);
  });
});
