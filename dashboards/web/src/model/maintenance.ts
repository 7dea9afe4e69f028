/* Maintenance windows: which stand now, which touch a site, and what an incident would put under maintenance. */
import type { Incident, Topology } from "../api/contract";
import type { Maintenance, Subject } from "../api/site";
import { fold } from "./fold";
import { placeName } from "./province";

export type Phase = "now" | "coming" | "over";

export function phaseOf(window: Maintenance, now: number): Phase {
  if (Date.parse(window.to) <= now) return "over";
  return Date.parse(window.from) <= now ? "now" : "coming";
}

/** Ended before it began: it never stood. */
export function wasDropped(window: Maintenance): boolean {
  return Date.parse(window.to) <= Date.parse(window.from);
}

/** Those that stand first, then the coming ones by their start, then the past ones, latest first. */
export function ordered(windows: readonly Maintenance[], now: number): Maintenance[] {
  const order: Phase[] = ["now", "coming", "over"];
  const rank = (one: Maintenance) => order.indexOf(phaseOf(one, now));
  const at = (one: Maintenance) => Date.parse(one.from) * (phaseOf(one, now) === "over" ? -1 : 1);
  return [...windows].sort((a, b) => rank(a) - rank(b) || at(a) - at(b) || a.id.localeCompare(b.id));
}

/** Windows of the site, its commune, its lines or the carriers' things above it. */
export function touches(window: Maintenance, site: string, topology: Topology): boolean {
  const commune = topology.sites.find((one) => one.id === site)?.commune ?? null;
  const lines = topology.lines.filter((line) => line.site === site);
  return window.items.some(({ kind, id }) => {
    if (kind === "site") return id === site;
    if (kind === "commune") return id === commune;
    if (kind === "line") return lines.some((line) => line.id === id);
    if (kind === "pop") return lines.some((line) => line.pop === id);
    return kind === "carrier" && lines.some((line) => line.carrier === id);
  });
}

/** One window names at most so many things. */
export const ITEMS_MAX = 200;

/** Roots that one can put under maintenance as they are; for others it is the sites they touch. */
const THINGS = new Set(["site", "line", "device", "service", "pop", "hand_off", "carrier"]);

/** Empty where it is more than one window takes. */
export function subjectsOf({ root, affected }: Incident): Subject[] {
  if (THINGS.has(root.kind)) return [{ kind: root.kind, id: root.id }];
  return affected.length > ITEMS_MAX ? [] : affected.map((id) => ({ kind: "site", id }));
}

/** What the words may mean, wider things first; at most so many. Empty without words. */
export function offers(query: string, topology: Topology, most: number): Subject[] {
  const wanted = fold(query);
  if (wanted === "") return [];
  const hit = (...texts: string[]) => texts.some((text) => fold(text).includes(wanted));
  const all: Subject[] = [
    ...topology.carriers.filter(({ id, name }) => hit(id, name)).map(({ id }) => ({ kind: "carrier", id })),
    ...topology.communes.filter((one) => hit(one.code, placeName(one))).map(({ code }) => ({ kind: "commune", id: code })),
    ...topology.sites.filter(({ id, name }) => hit(id, name)).map(({ id }) => ({ kind: "site", id })),
    ...topology.lines.filter(({ circuit }) => hit(circuit)).map(({ id }) => ({ kind: "line", id })),
  ];
  return all.slice(0, most);
}

/** What a window is about, by the names people know. */
export function subjectName({ kind, id }: Subject, topology: Topology): string {
  switch (kind) {
    case "site":
      return topology.sites.find((one) => one.id === id)?.name ?? id;
    case "line":
      return topology.lines.find((one) => one.id === id)?.circuit ?? id;
    case "carrier":
      return topology.carriers.find((one) => one.id === id)?.name ?? id;
    case "commune": {
      const commune = topology.communes.find((one) => one.code === id);
      return commune ? placeName(commune) : id;
    }
    default:
      return id;
  }
}
