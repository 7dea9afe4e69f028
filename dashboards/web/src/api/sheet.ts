/* A sheet on its way into the record: what the collector found in it, and what it would change. */

export interface SheetFault {
  sheet: string;
  row: number;
  /** As the office program names it: `F`. */
  column: string | null;
  /** The column's heading. */
  title: string | null;
  /** What the cell says; null when it is empty or restricted. */
  cell: string | null;
  message: string;
}

export interface SheetChange {
  /** `gone`: no longer in the sheet, and kept. */
  change: "added" | "changed" | "gone" | "removed";
  kind: "site" | "line" | "commune" | "area" | (string & {});
  id: string;
  name: string;
  fields: { field: string; old: string | null; new: string | null }[];
}

/** Nothing is written before `digest` is accepted; with errors it cannot be. */
export interface Preview {
  digest: string;
  errors: SheetFault[];
  warnings: SheetFault[];
  added: number;
  changed: number;
  gone: number;
  removed: number;
  unchanged: number;
  items: SheetChange[];
}

/** Larger than any province's sheet. */
export const SHEET_MAX = 16 * 1024 * 1024;
const ENDINGS = [".xlsx", ".csv"];

export type Refusal = "kind" | "size" | "empty";

/** Why a file is refused before it is sent, if it is. */
export function refusal(file: Pick<File, "name" | "size">): Refusal | null {
  if (!ENDINGS.some((ending) => file.name.toLowerCase().endsWith(ending))) return "kind";
  if (file.size === 0) return "empty";
  return file.size > SHEET_MAX ? "size" : null;
}
