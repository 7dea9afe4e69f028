/*
 * The collector's console API as this page reads it. Times are RFC 3339 UTC with milliseconds; ids are codes,
 * never names. What the collector may add later is ignored, what it may not know yet is `null`.
 */

/** What the collector says of a site or a line. Unknown is not down, and never counts as up. */
export type Verdict = "up" | "degraded" | "down" | "affected" | "unknown" | "off_hours" | "maintenance";

export interface Me {
  user: string;
  role: string;
  lang: string;
}

export interface Commune {
  code: string;
  name: string;
  /** "xã", "phường" or "đặc khu". */
  type: string;
  area: string | null;
}

export interface Carrier {
  id: string;
  name: string;
  hotline: string | null;
}

export interface Site {
  id: string;
  /** Null for the centre. */
  commune: string | null;
  name: string;
  observe: string;
  rehearsal: boolean;
  contact: { name: string; phone: string } | null;
}

export interface Line {
  id: string;
  site: string;
  carrier: string;
  /** The carrier's circuit id: how both sides name this line. */
  circuit: string;
  role: string;
  pop: string | null;
  mbps: number | null;
}

export interface Topology {
  province: { code: string; name: string };
  areas: { id: string; name: string }[];
  communes: Commune[];
  carriers: Carrier[];
  sites: Site[];
  lines: Line[];
}

export interface LineState {
  id: string;
  circuit: string;
  carrier: string;
  pop: string | null;
  state: Verdict;
}

export interface SiteState {
  id: string;
  /** Null for the centre. */
  commune: string | null;
  name: string;
  state: Verdict;
  /** False until the site has answered once: shown as "Chưa xác lập", never as down. */
  established: boolean;
  acked: boolean;
  since: string | null;
  rehearsal: boolean;
  lines: LineState[];
}

/** A snapshot; `seq` orders it among the changes that follow on the stream. */
export interface ProvinceState {
  at: string;
  seq: number;
  sites: SiteState[];
}

/** Only the sites that changed. */
export interface StateChange {
  seq: number;
  sites: SiteState[];
}

export interface Cause {
  final: boolean;
  candidates: { cause: string; probability: number | null }[];
}

export type Severity = "critical" | "warning" | "info";

export interface Incident {
  id: string;
  root: { kind: string; id: string; name: string };
  kind: string;
  state: "noticed" | "open" | "closed";
  severity: Severity;
  cause: Cause;
  affected: string[];
  sites: { id: string; state: Verdict }[];
  /** When the trouble itself began, as far as evidence reaches back. */
  began?: string | null;
  noticed: string;
  opened: string | null;
  closed: string | null;
  at_error_s: number | null;
  notifications: number;
  rehearsal: boolean;
  acked: { by: string; at: string } | null;
  /** The incident whose root turned out to be the root of this one too; this one is over then. */
  adopted_by?: string | null;
}

export interface TimelineEntry {
  at: string;
  what: string;
  text?: string | null;
  by?: string | null;
}

export interface EvidenceEntry {
  at: string;
  stream: string;
  line: string | null;
  text: string;
  kind: string;
}

export interface IncidentStory extends Incident {
  timeline: TimelineEntry[];
  evidence: EvidenceEntry[];
}

/** Something about the set-up that a person should finish; never an incident. */
export interface Finding {
  kind: string;
  subject: string;
  since: string | null;
  text: string;
}

/** Whether the files in place are the ones in use. Where they are is told to administrators only. */
export interface Configuration {
  good: boolean;
  /** Since when the one in use is in use. */
  since: string | null;
  faults: { file: string; line: number | null; column: number | null; text: string }[];
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** `[ms, min, avg, max, count]`: one step of a series. */
export type Bucket = [number, number, number, number, number];
