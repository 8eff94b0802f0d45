import type { Ending } from "../table/verdict.ts";

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
