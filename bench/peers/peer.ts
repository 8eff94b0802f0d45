import type { Batch } from "../../batcher.ts";

/** Where the rows go. Every peer gets the same one, and calls what suits it. */
export interface Sink<T> {
  /** Saves many rows at once: for those that batch. */
  saveMany(rows: readonly T[], batch?: Batch): Promise<readonly unknown[] | void>;
  /** Saves one row: for those that only limit how many saves are out. */
  saveOne(row: T): Promise<unknown>;
}

/** A way to save rows, set up as its documentation recommends for that. */
export interface Peer {
  readonly name: string;
  /** How it is set up, for the reader of the table. */
  readonly setup: string;
  /** Whether it batches, or limits how many single saves are out. */
  readonly batches: boolean;
  /**
   * Starts it.
   *
   * @returns The way to save a row: it settles once this row is saved, and rejects if it is not.
   */
  start<T>(sink: Sink<T>): (row: T) => Promise<unknown>;
}

/** Connections that postgres.js opens at most. */
export const CONNECTIONS = 10;

/** Most rows of a batch, for all that batch. */
export const MAX_ITEMS = 500;

/**
 * Single saves that are out at a time, for those that limit them. That is more than there are
 * connections, as postgres.js sends several down each without waiting for the answers.
 */
export const CONCURRENCY = 10 * CONNECTIONS;

/** How long those that wait by a timer wait for the batch to fill, in milliseconds: as short as can be. */
export const WAIT = 1;
