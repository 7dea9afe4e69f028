/* What belongs to one site: incidents that touch it, findings about it, and its incidents as bands over time. */
import type { Finding, Incident, Line, Severity, Topology } from "../api/contract";
import type { Bounds } from "./span";
import { began, newestFirst } from "./story";

export function linesAt(site: string, topology: Topology): Line[] {
  const order = (line: Line) => (line.role === "primary" ? 0 : 1);
  return topology.lines.filter((line) => line.site === site).sort((a, b) => order(a) - order(b) || a.id.localeCompare(b.id));
}

/** Incidents that touch the site or whose root is the site, one of its lines or one of its devices; newest first. Those of
    before it was renamed carry an id it had then, one of `formerly`. */
export function incidentsOf(
  site: string,
  incidents: Iterable<Incident>,
  topology: Topology,
  devices: readonly { id: string }[],
  formerly: readonly string[] = [],
): Incident[] {
  const ids = new Set([site, ...formerly]);
  const lines = new Set(linesAt(site, topology).map((line) => line.id));
  const things = new Set(devices.map((device) => device.id));
  const isHere = ({ root, affected }: Incident) =>
    affected.some((id) => ids.has(id)) ||
    (root.kind === "line" && lines.has(root.id)) ||
    (root.kind === "device" && things.has(root.id)) ||
    ((root.kind === "site" || root.kind === "agent") && ids.has(root.id));
  return [...incidents].filter(isHere).sort(newestFirst);
}

/** Subjects are written `SITE`, `SITE/CHECK`, `LINE`, `line/LINE` or `liveness/LINE`. */
export function findingsOf(site: string, findings: readonly Finding[], topology: Topology): Finding[] {
  const lines = new Set(linesAt(site, topology).map((line) => line.id));
  return findings.filter(({ subject }) => {
    const [first = "", second = ""] = subject.split("/");
    return first === site || lines.has(first) || ((first === "line" || first === "liveness") && lines.has(second));
  });
}

/** Which findings speak of one line. */
export function findingsOfLine(line: string, findings: readonly Finding[]): Finding[] {
  return findings.filter(({ subject }) => subject === line || subject === `line/${line}` || subject === `liveness/${line}`);
}

export interface Band {
  id: string;
  from: number;
  to: number;
  severity: Severity;
  /** Bands that overlap stand in different lanes. */
  lane: number;
}

/** The stretches of `bounds` in which incidents stood, oldest first. One that was told to nobody is left out. */
export function bandsOf(incidents: readonly Incident[], { from, to }: Bounds): Band[] {
  const ends: number[] = [];
  return incidents
    .filter((one) => one.opened !== null || one.state !== "closed")
    .map((one) => ({
      id: one.id,
      from: Math.max(from, began(one).getTime()),
      to: Math.min(to, one.closed === null ? to : Date.parse(one.closed)),
      severity: one.severity,
    }))
    .filter((band) => band.to > band.from)
    .sort((a, b) => a.from - b.from)
    .map((band) => {
      const free = ends.findIndex((end) => end <= band.from);
      const lane = free === -1 ? ends.length : free;
      ends[lane] = band.to;
      return { ...band, lane };
    });
}
