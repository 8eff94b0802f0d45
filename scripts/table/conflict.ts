import type { Conflict } from "../../postgres.ts";

/** What happens to a row whose id is in the table already. */
export type OnConflict = "skip" | "update" | "error";

/** The same, as the writer takes it. */
export function conflictOf(id: string, onConflict: OnConflict): Conflict | undefined {
  if (onConflict === "error") return undefined;
  return { target: [id], action: onConflict === "skip" ? "ignore" : "update" };
}
