/*
 * The overview's sentence, as parts: "3 xã mất kết nối · 4 điểm suy giảm · 2 đường gián đoạn · 98/102 xã hoạt động".
 * Zeros are not said. Whatever is not up is, so that "fine" is never said of a province nobody has heard from.
 */
import { t, type Key } from "../words/words.svelte";
import type { Counts } from "./province";

export interface Part {
  key: string;
  text: string;
}

export function sentence(counts: Counts): Part[] {
  const trouble: [Key, number][] = [
    ["sentence.down", counts.lost],
    ["sentence.degraded", counts.sitesDegraded],
    ["sentence.lines", counts.linesDown],
    ["sentence.unknown", counts.communes.unknown],
    ["sentence.unestablished", counts.communes.unestablished],
    ["sentence.maintenance", counts.communes.maintenance],
    ["sentence.off_hours", counts.communes.off_hours],
  ];
  const said = trouble.filter(([, n]) => n > 0).map(([key, n]) => ({ key, text: t(key, { n }) }));
  const fine = said.length === 0 ? [{ key: "sentence.fine", text: t("sentence.fine") }] : [];
  const up = { key: "sentence.up", text: t("sentence.up", { n: counts.communes.up, total: counts.total }) };
  return [...fine, ...said, up];
}
