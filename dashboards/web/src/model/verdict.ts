/*
 * From the collector's words to what a tile shows: eight faces, each with colour, shape and text.
 * "Chưa xác lập" is a site that never answered; it is neither unknown (it once spoke) nor down.
 */
import type { SiteState, Verdict } from "../api/contract";

export type Face = Verdict | "unestablished";

/** Most critical first. Outside hours comes last: a closed office says nothing about its commune. */
export const FACES: readonly Face[] = [
  "down",
  "affected",
  "degraded",
  "unknown",
  "maintenance",
  "unestablished",
  "up",
  "off_hours",
];

const rank = new Map(FACES.map((face, i) => [face, i]));

export function faceOf(site: Pick<SiteState, "state" | "established">): Face {
  if (!site.established) return "unestablished";
  // A newer collector may know a state this page does not: that is unknown to us, never up.
  return rank.has(site.state) ? site.state : "unknown";
}

export function isLost(face: Face): boolean {
  return face === "down" || face === "affected";
}

/** Negative when `a` is more critical than `b`. */
export function byCriticality(a: Face, b: Face): number {
  return (rank.get(a) ?? 0) - (rank.get(b) ?? 0);
}

/** The most critical of the open sites; "unestablished" for a commune without any site. */
export function worst(faces: readonly Face[]): Face {
  return [...faces].sort(byCriticality)[0] ?? "unestablished";
}

/** Whether an agent of ours stands at a site observed so; only then can its signal be lost. */
export function hasAgent(observe: string): boolean {
  return observe === "gateway" || observe === "box-behind";
}
