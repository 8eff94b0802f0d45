import type { Failure } from "./outcome.ts";

/**
 * Sends one batch. Resolves with one result per item, in order, or with nothing: then every item is
 * saved. An `Error` at index i rejects only item i. A rejection fails the whole batch. A result may
 * be a promise.
 *
 * When its signal is aborted, it should stop what it does, and come back once nothing of the batch
 * can be saved any more: until then its ordering keys are held.
 *
 * It is called synchronously, from inside `add()` or `push()` where a batch is full, so it should
 * start the request and return the promise.
 *
 * @typeParam T The type of the items.
 * @typeParam R The type of the results.
 */
export type Send<T, R = void> = (
  items: readonly T[],
  batch: Batch,
) => Promise<readonly (R | Error)[] | void>;

/** What a send function is told about the batch. */
export interface Batch {
  /** Idempotency key: the same over all attempts at these items together, and no other batch has it. */
  readonly id: string;
  /**
   * How often the items have been sent, this time included; where they differ, the most that one of
   * them has been.
   */
  readonly attempt: number;
  /**
   * Whether an earlier attempt at these items was never answered: they may be there already. Such
   * items share no batch with new ones.
   */
  readonly unanswered?: boolean;
  /** Aborted when time is up or the batcher is aborted. The answer no longer counts then. */
  readonly signal: AbortSignal;
}

/** What became of one attempt to send a batch. */
export interface BatchReport {
  /** The batch's idempotency key. */
  readonly id: string;
  /** The larger batch that was refused, and of which this one is a part. */
  readonly splitFrom?: string;
  /** How often the items have been sent, this time included; where they differ, the most. */
  readonly attempt: number;
  /** Items in the batch. */
  readonly size: number;
  /** Sum of `sizeOf` over its items; 0 without `sizeOf`. */
  readonly bytes: number;
  /** How long its first item was queued, since it came or was to be sent again, in milliseconds. */
  readonly waited: number;
  /** From the call of the send function to its answer, in milliseconds. */
  readonly duration: number;
  /** `"partial"`: some items were saved, and some were refused. */
  readonly outcome: "saved" | "partial" | "failed" | "unknown";
  /** What the send function rejected with, or why the outcome is unknown. */
  readonly error?: unknown;
  /** Whether items are sent again: all of them, or some of those which were not saved. */
  readonly retried: boolean;
  /** Whether the batch was refused because of its data, and its halves follow. */
  readonly split: boolean;
}

/**
 * The exact account of a batcher: `added = saved + failed + unknown + unsent`.
 *
 * @typeParam T The type of the items.
 */
export interface Account<T = unknown> {
  /** Items that the batcher accepted. */
  readonly added: number;
  /** Items of which the send function said that they are saved. */
  readonly saved: number;
  /** Items that the send function refused. */
  readonly failed: number;
  /** Items that were sent and never answered. */
  readonly unknown: number;
  /** Items that never left. */
  readonly unsent: number;
  /**
   * The pushed items among those that were not saved, which no `flush()` has reported yet. Absent
   * where there are none.
   */
  readonly failures?: readonly Failure<T>[];
  /** How many more there were than are listed, where there were more than `maxFailures`. */
  readonly omitted?: number;
}
