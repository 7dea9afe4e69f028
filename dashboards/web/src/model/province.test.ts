import { describe, expect, it } from "vitest";
import { abnormal, count, countCarriers, viewProvince } from "./province";
import { siteState, states, topology } from "./sample";
import { sentence } from "./sentence";
import type { Phase } from "./story";
import { faceOf, worst } from "./verdict";

const face = (view: ReturnType<typeof viewProvince>, code: string) => view.communes.get(code)?.face;
const said = (changes: Parameters<typeof states>[0]) =>
  sentence(count(viewProvince(topology, states(changes))))
    .map((part) => part.text)
    .join(" · ");

describe("a face", () => {
  it("is never established until the site has answered once, whatever its state", () => {
    expect(faceOf({ state: "down", established: false })).toBe("unestablished");
  });

  it("is unknown, not up, for a state this console does not know", () => {
    expect(faceOf({ state: "sleepy" as "up", established: true })).toBe("unknown");
  });
});

describe("a commune's tile", () => {
  it("is its most critical open site", () => {
    const view = viewProvince(topology, states({ s3: { state: "down" } }));
    expect(face(view, "28261")).toBe("down");
    expect(face(view, "28249")).toBe("up");
  });

  it("does not go dark because one of its offices is closed for the night", () => {
    expect(worst(["off_hours", "up"])).toBe("up");
    expect(worst(["off_hours", "off_hours"])).toBe("off_hours");
  });

  it("without a site is never established, not up", () => {
    expect(worst([])).toBe("unestablished");
  });

  it("is acknowledged only when every site that gives its face is", () => {
    const one = states({ s2: { state: "down", acked: true }, s3: { state: "down" } });
    expect(viewProvince(topology, one).communes.get("28261")?.acked).toBe(false);
    const both = states({ s2: { state: "down", acked: true }, s3: { state: "down", acked: true } });
    expect(viewProvince(topology, both).communes.get("28261")?.acked).toBe(true);
  });
});

describe("the province", () => {
  it("keeps the operator's order of areas and groups by code, not by name", () => {
    const twins = {
      ...topology,
      areas: [{ id: "z", name: "Cai Lậy" }, { id: "a", name: "Cai Lậy" }],
      communes: topology.communes.map((commune, i) => ({ ...commune, area: i === 0 ? "z" : "a" })),
    };
    const view = viewProvince(twins, states());
    expect(view.areas.map((area) => area.communes.length)).toEqual([1, 2]);
  });

  it("loses no commune whose area is missing from the record", () => {
    const stray = { ...topology, areas: [] };
    const view = viewProvince(stray, states());
    expect(view.areas).toHaveLength(1);
    expect(view.areas[0]?.id).toBeNull();
    expect(view.areas[0]?.communes).toHaveLength(3);
  });

  it("keeps the centre out of the communes but not out of sight", () => {
    const all = states();
    all.set("core", siteState("core", { name: "Trung tâm" }));
    const view = viewProvince(topology, all);
    expect(view.outside.map((site) => site.id)).toEqual(["core"]);
    expect(count(view).total).toBe(3);
  });

  it("names what is wrong first, and never a closed office", () => {
    const view = viewProvince(topology, states({ s1: { state: "degraded" }, s2: { state: "down" }, s4: { state: "off_hours" } }));
    expect(view.areas.flatMap(abnormal).map((one) => one.commune.code)).toEqual(["28261", "28249"]);
  });
});

describe("the sentence", () => {
  it("says that all is well", () => {
    expect(said({})).toBe("Toàn tỉnh ổn định · 3/3 xã hoạt động");
  });

  it("does not call fine what still has an incident", () => {
    const beside = (...standing: Phase[]) => sentence(count(viewProvince(topology, states())), standing).map((part) => part.text).join(" · ");
    expect(beside("recovering")).toBe("1 sự cố đang khôi phục · 3/3 xã hoạt động");
    expect(beside("noticed", "open")).toBe("1 sự cố đang mở · 1 sự cố đang xác nhận · 3/3 xã hoạt động");
  });

  it("calls a province fine whose offices are closed for the night", () => {
    expect(said({ s1: { state: "off_hours" } })).toBe("Toàn tỉnh ổn định · 1 xã tắt ngoài giờ · 2/3 xã hoạt động");
  });

  it("counts xã, điểm and đường apart", () => {
    const broken = siteState("s1").lines.map((line) => ({ ...line, state: "down" as const }));
    expect(said({ s1: { state: "down", lines: broken }, s2: { state: "degraded" }, s3: { state: "degraded" } })).toBe(
      "1 xã mất kết nối · 2 điểm suy giảm · 1 đường gián đoạn · 1/3 xã hoạt động",
    );
  });

  it("never calls a province fine that nobody has heard from", () => {
    const mute = { established: false, state: "unknown" as const };
    expect(said({ s1: mute, s2: mute, s3: mute, s4: mute })).toBe("3 xã chưa xác lập · 0/3 xã hoạt động");
  });

  it("never counts unknown as up", () => {
    expect(said({ s4: { state: "unknown" } })).toBe("1 xã chưa rõ · 2/3 xã hoạt động");
  });

  it("does not count the lines of a site that never answered", () => {
    const broken = siteState("s4").lines.map((line) => ({ ...line, state: "down" as const }));
    expect(said({ s4: { state: "unknown", established: false, lines: broken } })).not.toContain("đường");
  });
});

describe("carriers", () => {
  it("are counted by their own lines", () => {
    const broken = siteState("s2").lines.map((line) => ({ ...line, state: line.carrier === "a" ? ("affected" as const) : line.state }));
    expect(countCarriers(topology, states({ s2: { lines: broken } }))).toEqual([
      { id: "a", name: "VNPT", down: 1, unknown: 0, total: 3 },
      { id: "b", name: "Viettel", down: 0, unknown: 0, total: 2 },
    ]);
  });

  it("are not called fine on the word of sites that never answered", () => {
    const mute = { established: false, state: "unknown" as const };
    const [first] = countCarriers(topology, states({ s1: mute, s2: mute, s4: mute }));
    expect(first).toMatchObject({ down: 0, unknown: 3, total: 3 });
  });
});
