/* The names people know for what the collector calls by its id: `line/28249-1` is a circuit at a site. */
import type { Topology } from "../api/contract";
import { placeName } from "./province";

export interface Known {
  words: string;
  site: string | null;
}

/** Looks up subjects written `SITE`, `SITE/CHECK`, `LINE`, `line/LINE`, `liveness/LINE`; others are said as they came. */
export function siteNames(topology: Topology): (subject: string) => Known {
  const sites = new Map(topology.sites.map((site) => [site.id, site.name]));
  const lines = new Map(topology.lines.map((line) => [line.id, line]));
  const communes = new Map(topology.communes.map((commune) => [commune.code, placeName(commune)]));
  return (subject) => {
    const [first = "", ...rest] = subject.split("/");
    const line = lines.get(subject) ?? (first === "line" || first === "liveness" ? lines.get(rest.join("/")) : undefined);
    if (line) return { words: `${line.circuit} · ${sites.get(line.site) ?? line.site}`, site: line.site };
    const name = sites.get(first);
    if (name === undefined) return { words: communes.get(subject) ?? subject, site: null };
    return { words: rest.length === 0 ? name : `${name} · ${rest.join("/")}`, site: first };
  };
}
