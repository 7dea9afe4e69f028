/*
 * What is left to finish in the set-up, gathered by kind: one explanation and one instruction, then the places it
 * concerns by the names people know.
 */
import type { Finding, Topology } from "../api/contract";
import { siteNames } from "./names";

export interface Place {
  subject: string;
  name: string;
  /** Site to open, where there is one. */
  site: string | null;
  since: string | null;
  text: string;
}

export interface Group {
  kind: string;
  places: Place[];
}

/** What hides trouble or lets the record lie comes before what is merely unfinished. */
const ORDER = [
  "agent-quarantined",
  "plan-refused",
  "plan-not-taken",
  "not-permitted",
  "clock-skew",
  "one-path",
  "unproved-uplink",
  "record-doubtful",
  "agent-never-heard",
  "never-answered",
  "check-failing",
  "local",
  "unsupported",
  "no-successor",
];

const rank = (kind: string) => (ORDER.includes(kind) ? ORDER.indexOf(kind) : ORDER.length);

export function groups(findings: readonly Finding[], topology: Topology): Group[] {
  const name = siteNames(topology);
  const byKind = new Map<string, Place[]>();
  for (const { kind, subject, since, text } of findings) {
    const { site, words } = name(subject);
    const place = { subject, name: words, site, since, text };
    byKind.set(kind, [...(byKind.get(kind) ?? []), place]);
  }
  return [...byKind]
    .map(([kind, places]) => ({ kind, places: places.sort((a, b) => a.name.localeCompare(b.name, "vi")) }))
    .sort((a, b) => rank(a.kind) - rank(b.kind) || a.kind.localeCompare(b.kind));
}
