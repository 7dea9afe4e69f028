/* A tiny province for tests: two areas, three communes, four sites, five lines. */
import type { Incident, Line, Site, SiteState, Topology } from "../api/contract";

const site = (id: string, commune: string | null, name: string): Site => ({
  id,
  commune,
  name,
  observe: "gateway",
  rehearsal: true,
  contact: null,
});

const line = (id: string, at: string, carrier: string, circuit: string, pop: string | null = null): Line => ({
  id,
  site: at,
  carrier,
  circuit,
  role: "primary",
  pop,
  mbps: 100,
});

export const topology: Topology = {
  province: { code: "82", name: "Đồng Tháp" },
  areas: [
    { id: "my-tho", name: "Mỹ Tho" },
    { id: "cai-be", name: "Cái Bè" },
  ],
  communes: [
    { code: "28249", name: "Đạo Thạnh", type: "phường", area: "my-tho" },
    { code: "28261", name: "Mỹ Tho", type: "phường", area: "my-tho" },
    { code: "28360", name: "Cái Bè", type: "xã", area: "cai-be" },
  ],
  carriers: [
    { id: "a", name: "VNPT", hotline: "0277 000 0001" },
    { id: "b", name: "Viettel", hotline: null },
  ],
  sites: [
    site("s1", "28249", "UBND phường Đạo Thạnh"),
    site("s2", "28261", "UBND phường Mỹ Tho"),
    site("s3", "28261", "Trung tâm hành chính công"),
    site("s4", "28360", "UBND xã Cái Bè"),
  ],
  lines: [
    line("l1", "s1", "a", "VNP-001", "p1"),
    line("l2", "s2", "a", "VNP-002", "p1"),
    line("l3", "s2", "b", "VTL-003"),
    line("l4", "s3", "b", "VTL-004"),
    line("l5", "s4", "a", "VNP-005"),
  ],
};

/** The state of one site, up unless told otherwise. */
export function siteState(id: string, change: Partial<SiteState> = {}): SiteState {
  const place = topology.sites.find((one) => one.id === id);
  return {
    id,
    commune: place?.commune ?? null,
    name: place?.name ?? id,
    state: "up",
    established: true,
    acked: false,
    since: "2026-11-22T00:00:00.000Z",
    rehearsal: true,
    lines: topology.lines
      .filter((one) => one.site === id)
      .map(({ id: own, circuit, carrier, pop }) => ({ id: own, circuit, carrier, pop, state: "up" })),
    ...change,
  };
}

/** All sites, with changes by id. */
export function states(changes: Record<string, Partial<SiteState>> = {}): Map<string, SiteState> {
  return new Map(topology.sites.map(({ id }) => [id, siteState(id, changes[id] ?? {})]));
}

export function incident(change: Partial<Incident> = {}): Incident {
  return {
    id: "SC-20261122-01",
    root: { kind: "site", id: "s1", name: "UBND phường Đạo Thạnh" },
    kind: "unreachable",
    state: "open",
    severity: "critical",
    cause: { final: false, candidates: [] },
    affected: ["s1"],
    sites: [{ id: "s1", state: "down" }],
    noticed: "2026-11-21T21:51:00.000Z",
    opened: "2026-11-21T21:51:05.000Z",
    closed: null,
    at_error_s: 1.4,
    notifications: 1,
    rehearsal: true,
    acked: null,
    ...change,
  };
}
