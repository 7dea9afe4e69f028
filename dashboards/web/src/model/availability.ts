/*
 * The availability of a site as cells of a bar, each stacked of what the time in it was, and as sums in words.
 * Availability is the share of the time that was told and worked: time off, under maintenance and time nobody could
 * tell about count neither way.
 */
import type { Availability } from "../api/site";
import type { Face } from "./verdict";

/** From the bottom of a cell to its top. */
export const STACK = ["up", "degraded", "maintenance", "off_hours", "unknown", "down"] as const satisfies readonly Face[];
export type Standing = (typeof STACK)[number];

export interface Cell {
  from: number;
  to: number;
  /** Shares of the cell, bottom to top, zeros left out; they add up to 1. */
  parts: { face: Standing; share: number }[];
}

function standing(item: Availability): Record<Standing, number> {
  const told = {
    up: item.up_ms,
    degraded: item.degraded_ms,
    maintenance: item.maintenance_ms ?? 0,
    off_hours: item.off_ms,
    unknown: item.unknown_ms,
    down: item.down_ms,
  };
  const length = Date.parse(item.to) - Date.parse(item.from);
  const sum = Object.values(told).reduce((all, ms) => all + ms, 0);
  // What nobody recorded, nobody can tell.
  return { ...told, unknown: told.unknown + Math.max(0, length - sum) };
}

export function cells(items: readonly Availability[]): Cell[] {
  return items.map((item) => {
    const told = standing(item);
    const sum = STACK.reduce((all, face) => all + told[face], 0);
    const parts = STACK.filter((face) => told[face] > 0).map((face) => ({ face, share: told[face] / sum }));
    return { from: Date.parse(item.from), to: Date.parse(item.to), parts };
  });
}

/** How long it was what, most critical first, zeros left out. */
export function totals(items: readonly Availability[]): { face: Standing; ms: number }[] {
  const all = items.map(standing);
  const sum = (face: Standing) => all.reduce((ms, one) => ms + one[face], 0);
  return [...STACK]
    .reverse()
    .map((face) => ({ face, ms: sum(face) }))
    .filter(({ ms }) => ms > 0);
}

/** 0 to 1, or `null` where no time can be judged. */
export function share(items: readonly Availability[]): number | null {
  const all = items.map(standing);
  const worked = all.reduce((ms, one) => ms + one.up + one.degraded, 0);
  const judged = worked + all.reduce((ms, one) => ms + one.down, 0);
  return judged === 0 ? null : worked / judged;
}
