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

/** The exact account of a job: every row that was read ends in one way. */
export class Account {
  /** Rows that were read, the broken ones included. */
  read = 0;
  /** Passwords that were hashed. */
  hashed = 0;
  readonly #ended: Record<Ending, number> = {
    saved: 0,
    updated: 0,
    skipped: 0,
    rejected: 0,
    unknown: 0,
    unfinished: 0,
  };

  count(ending: Ending, rows = 1): void {
    this.#ended[ending] += rows;
  }

  /** How many rows ended in each way. */
  get ended(): Readonly<Record<Ending, number>> {
    return this.#ended;
  }

  /** How many rows ended. */
  get done(): number {
    return Object.values(this.#ended).reduce((sum, rows) => sum + rows);
  }
}
