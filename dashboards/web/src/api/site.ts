/* What the collector says of one site and its past. As in `contract.ts`: what may be unknown is `null`. */
import type { Verdict } from "./contract";

export interface Person {
  name: string;
  phone: string | null;
}

/** When an office works, in Việt Nam's time: `["mon", "tue"]`, `["07:00-11:30", "13:00-17:00"]`. */
export interface Hours {
  days: string[];
  spans: string[];
}

export interface Device {
  id: string;
  name: string;
  kind: string;
  state: Verdict;
  since: string | null;
}

/** How the agent of a site is doing. */
export interface AgentHealth {
  /** When anything of it arrived last. */
  heard: string | null;
  /** Batches it holds that have not arrived yet; null where it did not say. */
  backlog: number | null;
  /** `taken`: it runs the plan meant for it; `waiting`: not yet; `refused`: it could not. */
  plan: "taken" | "waiting" | "refused" | null;
  /** Its clock minus the collector's, seconds. */
  clock_s: number | null;
}

/** A change of the record: `added`, `renamed`, `moved`, `removed`. */
export interface Change {
  at: string;
  what: string;
  /** What it concerns: the site itself, or one of its lines or devices. */
  kind: string;
  name: string;
  from: string | null;
  to: string | null;
}

/** Of a line, what only the page of its site shows. */
export interface LineRecord {
  id: string;
  medium: string | null;
  metered: boolean;
  contract: string | null;
}

export interface SiteDetail {
  id: string;
  /** Ids it had before. */
  formerly: string[];
  commune: string | null;
  name: string;
  observe: string;
  rehearsal: boolean;
  address: string | null;
  contact: Person | null;
  key_holder: Person | null;
  hours: Hours | null;
  off_outside_hours: "yes" | "no" | "learn" | null;
  feeder: { id: string; name: string } | null;
  tags: string[];
  lines: LineRecord[];
  devices: Device[];
  /** Names of the checks that count octets of interfaces. */
  interfaces: string[];
  agent: AgentHealth | null;
  changes: Change[];
}

/** How long a site was what, between two instants. */
export interface Availability {
  from: string;
  to: string;
  up_ms: number;
  degraded_ms: number;
  down_ms: number;
  unknown_ms: number;
  off_ms: number;
  maintenance_ms?: number;
}

/** What may be put under maintenance. */
export interface Subject {
  kind: string;
  id: string;
}

export interface Maintenance {
  id: string;
  items: Subject[];
  from: string;
  to: string;
  reason: string;
  by: string | null;
}
