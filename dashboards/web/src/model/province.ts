/*
 * The administrative view: communes in the operator's areas, each with the face of its most critical open site,
 * and the three counts that must never be mixed: xã, điểm, đường.
 */
import type { Commune, SiteState, Topology } from "../api/contract";
import { byCriticality, FACES, faceOf, isLost, worst, type Face } from "./verdict";

export interface CommuneView {
  commune: Commune;
  sites: SiteState[];
  face: Face;
  /** Every site that gives the tile its face is acknowledged. */
  acked: boolean;
  rehearsal: boolean;
}

export interface AreaView {
  /** `null` gathers the communes that stand in no area. */
  id: string | null;
  name: string | null;
  communes: CommuneView[];
  up: number;
}

export interface ProvinceView {
  areas: AreaView[];
  communes: Map<string, CommuneView>;
  /** Sites whose commune this province does not hold, such as the centre itself. */
  outside: SiteState[];
}

/** "Phường Mỹ Tho", as a title. */
export function placeName(commune: Commune): string {
  return `${commune.type.charAt(0).toUpperCase()}${commune.type.slice(1)} ${commune.name}`;
}

export function viewCommune(commune: Commune, sites: SiteState[]): CommuneView {
  const face = worst(sites.map(faceOf));
  const telling = sites.filter((site) => faceOf(site) === face);
  return {
    commune,
    sites,
    face,
    acked: telling.length > 0 && telling.every((site) => site.acked),
    rehearsal: sites.some((site) => site.rehearsal),
  };
}

/** Groups by code, never by name: commune names repeat. Areas keep the operator's order, communes their code's. */
export function viewProvince(topology: Topology, states: ReadonlyMap<string, SiteState>): ProvinceView {
  const byCommune = new Map<string, SiteState[]>(topology.communes.map((commune) => [commune.code, []]));
  const outside: SiteState[] = [];
  for (const site of states.values()) (byCommune.get(site.commune ?? "") ?? outside).push(site);

  const communes = new Map<string, CommuneView>();
  const byArea = new Map<string | null, CommuneView[]>(topology.areas.map((area) => [area.id, []]));
  for (const commune of topology.communes) {
    const view = viewCommune(commune, byCommune.get(commune.code) ?? []);
    communes.set(commune.code, view);
    const area = commune.area !== null && byArea.has(commune.area) ? commune.area : null;
    if (!byArea.has(area)) byArea.set(area, []);
    byArea.get(area)?.push(view);
  }

  const names = new Map<string | null, string>(topology.areas.map((area) => [area.id, area.name]));
  const areas = [...byArea]
    .filter(([, members]) => members.length > 0)
    .map(([id, members]) => ({
      id,
      name: names.get(id) ?? null,
      communes: members,
      up: members.filter((view) => view.face === "up").length,
    }));
  return { areas, communes, outside };
}

export interface Counts {
  communes: Record<Face, number>;
  total: number;
  lost: number;
  sitesDegraded: number;
  linesDown: number;
  sites: number;
  rehearsalSites: number;
}

export function count(view: ProvinceView): Counts {
  const communes = Object.fromEntries(FACES.map((face) => [face, 0])) as Record<Face, number>;
  for (const one of view.communes.values()) communes[one.face] += 1;
  const sites = [...view.communes.values()].flatMap((one) => one.sites).concat(view.outside);
  const lines = sites.flatMap((site) => (site.established ? site.lines : []));
  return {
    communes,
    total: view.communes.size,
    lost: communes.down + communes.affected,
    sitesDegraded: sites.filter((site) => faceOf(site) === "degraded").length,
    linesDown: lines.filter((line) => isLost(line.state)).length,
    sites: sites.length,
    rehearsalSites: sites.filter((site) => site.rehearsal).length,
  };
}

/** What is not well in an area, most critical first; the names under its tiles. */
export function abnormal(area: AreaView): CommuneView[] {
  return area.communes
    .filter((view) => view.face !== "up" && view.face !== "off_hours")
    .sort((a, b) => byCriticality(a.face, b.face));
}

export interface CarrierCount {
  id: string;
  name: string;
  down: number;
  /** Lines nobody can tell about, those of sites that never answered among them. */
  unknown: number;
  total: number;
}

/** Lines down and unknown of all lines, per carrier, in the topology's order. */
export function countCarriers(topology: Topology, states: ReadonlyMap<string, SiteState>): CarrierCount[] {
  const lines = [...states.values()].flatMap((site) => site.lines.map((line) => ({ line, known: site.established })));
  return topology.carriers.map((carrier) => {
    const own = lines.filter(({ line }) => line.carrier === carrier.id);
    const down = own.filter(({ line, known }) => known && isLost(line.state)).length;
    const unknown = own.filter(({ line, known }) => !known || line.state === "unknown").length;
    return { id: carrier.id, name: carrier.name, down, unknown, total: own.length };
  });
}
