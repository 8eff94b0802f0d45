import type { Failure } from "./outcome.ts";

/**
 * Sends one batch. It resolves with one result per item, in order, or with nothing, which means that
 * every item is saved. An `Error` at index i rejects only item i. A rejection fails the whole batch. A
 * result may be a promise.
 *
 * When its signal is aborted, it should stop, and settle once nothing of the batch can be saved any
 * more: until then its ordering keys are held. If it knows at once that nothing was saved, it rejects
 * with an error whose `outcome` is `"failed"`. If it cannot know, with one whose `over` is `false`:
 * then its keys are not let go.
 *
 * It is called synchronously, from inside `add()` or `push()` if a batch is full, so it should start
 * the request and return the promise.
 *
 * @typeParam T The type of the items.
 * @typeParam R The type of the results.
 */
export type Send<T, R = void> = (
  items: readonly T[],
  batch: Batch,
) => Promise<readonly (R | Error)[] | void>;

/** What a send function learns about its batch. */
export interface Batch {
  /** Idempotency key: the same for every attempt at these items together, and for no other batch. */
  readonly id: string;
  /**
   * How often the items have been sent, including this time; if that differs, the highest number.
   */
  readonly attempt: number;
  /**
   * Whether an earlier attempt at these items got no answer: they may be there already. Such items
   * never share a batch with new ones.
   */
  readonly unanswered?: boolean;
  /** Aborted when the time is up or the batcher is aborted. After that, the answer does not count. */
  readonly signal: AbortSignal;
}

/** The result of one attempt to send a batch. */
export interface BatchReport {
  /** The batch's idempotency key. */
  readonly id: string;
  /** The larger batch of which this is a part, and which was refused. */
  readonly splitFrom?: string;
  /** How often the items have been sent, including this time; if that differs, the highest number. */
  readonly attempt: number;
  /** Items in the batch. */
  readonly size: number;
  /** Sum of `sizeOf` over its items; 0 without `sizeOf`. */
  readonly bytes: number;
  /** How long its first item was queued, since it was added or put back, in milliseconds. */
  readonly waited: number;
  /** From the call of the send function to its answer, in milliseconds. */
  readonly duration: number;
  /** `"partial"`: some items were saved, and some were refused. */
  readonly outcome: "saved" | "partial" | "failed" | "unknown";
  /** What the send function rejected with, or why the outcome is unknown. */
  readonly error?: unknown;
  /** Whether a retry follows, of all items or of some that were not saved. */
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
  /** Items that the send function confirmed. */
  readonly saved: number;
  /** Items that the send function refused. */
  readonly failed: number;
  /** Items that were sent and got no answer. */
  readonly unknown: number;
  /** Items that never left. */
  readonly unsent: number;
  /**
   * Pushed items that were not saved and that no `flush()` has reported yet. Absent if there are
   * none.
   */
  readonly failures?: readonly Failure<T>[];
  /** How many failures are not listed, if there were more than `maxFailures`. */
  readonly omitted?: number;
}
