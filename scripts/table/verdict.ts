/**
 * How a row ended.
 *
 * - `"saved"`: it is new in the table.
 * - `"updated"`: it was there, and has a new hash.
 * - `"skipped"`: it was there, and stays as it is.
 * - `"rejected"`: it cannot be used, or the server refused it.
 * - `"unknown"`: it was sent, and no answer came. It may be in the table.
 * - `"unfinished"`: it was read, and the end came before its turn.
 */
export type Ending = "saved" | "updated" | "skipped" | "rejected" | "unknown" | "unfinished";

/** How a row ended, and why. */
export interface Verdict {
  readonly ending: Ending;
  /** Of a rejected row. It quotes nothing of it. */
  readonly reason?: string;
  /** What the database said, where it is not this row's fault. */
  readonly error?: unknown;
}
