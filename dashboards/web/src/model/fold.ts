/*
 * Search as people type it: without diacritics, đ as d, any case. "my tho" finds Mỹ Tho.
 */
import type { Topology } from "../api/contract";
import { placeName } from "./province";

export function fold(text: string): string {
  return text.normalize("NFD").replace(/\p{M}/gu, "").replace(/đ/gi, "d").toLowerCase().trim();
}

export interface Found {
  commune: string;
  title: string;
  detail: string;
}

const LIMIT = 12;

/** Communes by name or code, then sites by name, then lines by circuit id; at most LIMIT, never the same commune twice. */
export function search(topology: Topology, query: string): Found[] {
  const wanted = fold(query);
  if (wanted === "") return [];
  const names = new Map(topology.communes.map((commune) => [commune.code, placeName(commune)]));
  const sites = new Map(topology.sites.map((site) => [site.id, site]));
  const found = new Map<string, Found>();
  const add = (code: string | null, detail: string) => {
    const title = names.get(code ?? "");
    if (code !== null && title !== undefined && !found.has(code)) found.set(code, { commune: code, title, detail });
  };
  for (const c of topology.communes) if (fold(`${c.type} ${c.name}`).includes(wanted) || c.code === wanted) add(c.code, "");
  for (const site of topology.sites) if (fold(site.name).includes(wanted)) add(site.commune, site.name);
  for (const line of topology.lines) {
    const site = sites.get(line.site);
    if (site && fold(line.circuit).includes(wanted)) add(site.commune, `${line.circuit} · ${site.name}`);
  }
  return [...found.values()].slice(0, LIMIT);
}
