/* What an import would do, in words: "3 mới, 1 thay đổi, 296 giữ nguyên". Zeros are not said. */
import type { Counts, Preview } from "../api/sheet";
import { t, type Key } from "../words/words.svelte";

const SAID: [keyof Counts, Key][] = [
  ["added", "import.n_added"],
  ["changed", "import.n_changed"],
  ["removed", "import.n_removed"],
  ["gone", "import.n_gone"],
  ["unchanged", "import.n_unchanged"],
];

export function countWords(counts: Counts): string {
  const said = SAID.filter(([kind]) => counts[kind] > 0).map(([kind, key]) => t(key, { n: counts[kind] }));
  return said.length === 0 ? t("import.n_none") : said.join(", ");
}

/** Whether there is anything to accept. */
export function writes({ errors, added, changed, removed }: Preview): boolean {
  return errors.length === 0 && added + changed + removed > 0;
}
