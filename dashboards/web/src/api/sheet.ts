/* A sheet on its way into the record: what the collector found in it, and what it would change. */

export interface SheetFault {
  /** Name of the sheet; empty for CSV. */
  sheet: string;
  row: number;
  /** As the office program names it, `F`; null for the row as a whole. */
  column: string | null;
  /** The column's heading. */
  title: string | null;
  /** What the cell says; null when it is empty or restricted. */
  cell: string | null;
  message: string;
}

export type Fate = "added" | "changed" | "gone" | "removed";

export interface SheetChange {
  /** `gone`: the sheet no longer names it and it stays; `removed`: it goes. */
  change: Fate;
  /** `area`, `commune`, `site` or `line`. */
  kind: string;
  id: string;
  name: string;
  /** Values are null where only an administrator's terminal shows them. */
  fields: { field: string; old: string | null; new: string | null; restricted: boolean }[];
}

export type Counts = Record<Fate | "unchanged", number>;

/** Nothing is written before `digest` is accepted; with errors, or where nothing would be written, it cannot be. */
export interface Preview extends Counts {
  digest: string;
  errors: SheetFault[];
  error_count: number;
  warnings: SheetFault[];
  items: SheetChange[];
}

/** The collector takes no larger one. */
export const SHEET_MAX = 16 * 1024 * 1024;
const ENDINGS = [".xlsx", ".csv"];

export type Refusal = "kind" | "size" | "empty";

/** Why a file is refused before it is sent, if it is. */
export function refusal(file: Pick<File, "name" | "size">): Refusal | null {
  if (!ENDINGS.some((ending) => file.name.toLowerCase().endsWith(ending))) return "kind";
  if (file.size === 0) return "empty";
  return file.size > SHEET_MAX ? "size" : null;
}
