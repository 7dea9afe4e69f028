/*
 * The overview's sentence, as parts: "3 xã mất kết nối · 4 điểm suy giảm · 2 đường gián đoạn · 98/102 xã hoạt động".
 * Zeros are not said. Whatever is not up is, so that "fine" is never said of a province nobody has heard from, nor
 * beside an incident that still stands. Closed offices and maintenance are no trouble.
 */
import { t, type Key } from "../words/words.svelte";
import type { Counts } from "./province";
import type { Phase } from "./story";

export interface Part {
  key: string;
  text: string;
}

/** `standing`: the phase of each incident that is not over. */
export function sentence(counts: Counts, standing: readonly Phase[] = []): Part[] {
  const said = (list: [Key, number][]) => list.filter(([, n]) => n > 0).map(([key, n]) => ({ key, text: t(key, { n }) }));
  const count = (phase: Phase) => standing.filter((one) => one === phase).length;
  const trouble = said([
    ["sentence.down", counts.lost],
    ["sentence.degraded", counts.sitesDegraded],
    ["sentence.lines", counts.linesDown],
    ["sentence.unknown", counts.communes.unknown],
    ["sentence.unestablished", counts.communes.unestablished],
  ]);
  const planned = said([
    ["sentence.maintenance", counts.communes.maintenance],
    ["sentence.off_hours", counts.communes.off_hours],
  ]);
  // Where no place is in trouble, the incidents say why this is not yet "fine".
  const left = said([
    ["sentence.open", count("open")],
    ["sentence.confirming", count("noticed")],
    ["sentence.recovering", count("recovering")],
  ]);
  const fine = left.length > 0 ? left : [{ key: "sentence.fine", text: t("sentence.fine") }];
  const up = { key: "sentence.up", text: t("sentence.up", { n: counts.communes.up, total: counts.total }) };
  return [...(trouble.length > 0 ? trouble : fine), ...planned, up];
}
