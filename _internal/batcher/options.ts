import type { BatchReport } from "../shared/contract.ts";
import type { Failure } from "../shared/outcome.ts";
import { bisection } from "./error_facts.ts";
import { guardHook } from "./guard.ts";
import { RateLimit, type RateLimitOptions } from "./rate_limit.ts";
import { type RetryOptions, type RetryPolicy, retryPolicy } from "./retry.ts";
import {
  assertFunction,
  assertMilliseconds,
  assertPositiveInteger,
  describe,
} from "../shared/validate.ts";

/**
 * Options of an {@linkcode AsyncBatcher}.
 *
 * @typeParam T The type of the items.
 */
export interface AsyncBatcherOptions<T> {
  /**
   * Most items in a batch. A batch that holds them leaves as soon as a slot is free. May be
   * `Infinity`.
   *
   * @default {500}
   */
  maxItems?: number;
  /**
   * Most bytes in a batch, as counted by `sizeOf`.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
  /**
   * What becomes of an item that is larger than `maxBytes`: it is refused, or sent in a batch of its
   * own.
   *
   * @default {"refuse"}
   */
  oversized?: "refuse" | "alone";
  /** The size of an item in bytes. Needed with `maxBytes` and `maxQueuedBytes`. */
  sizeOf?: (item: T) => number;
  /**
   * How long, in milliseconds, the first item of a batch waits for company. With 0, what was added
   * in one turn of the event loop leaves together at its end, if a slot is free; while none is, the
   * queue grows into the next batch.
   *
   * @default {0}
   */
  linger?: number;
  /**
   * Most batches out at a time. May be `Infinity`.
   *
   * @default {4}
   */
  maxInFlight?: number;
  /** What may leave at most within a stretch of time, for a sink with a quota. */
  rateLimit?: RateLimitOptions;
  /**
   * Most items in the queue. Above it `push()` waits, first come first served. What is to be sent
   * again has a bound of its own, four times as large. May be `Infinity`.
   *
   * @default {maxItems * maxInFlight}
   */
  maxQueued?: number;
  /**
   * Most bytes in the queue, as counted by `sizeOf`; the item that reaches them still comes in.
   *
   * @default {Infinity}
   */
  maxQueuedBytes?: number;
  /**
   * How long, in milliseconds, an attempt to send a batch may take. After it, the batch's signal is
   * aborted, its slot is free, and the outcome is unknown, whatever the send function does.
   *
   * @default {30_000}
   */
  timeout?: number;
  /**
   * Whether and when items are sent again that could not be saved. Meanwhile they hold no slot.
   *
   * @default {false}
   */
  retry?: RetryOptions | false;
  /**
   * Whether a batch may be sent again whose outcome is unknown: sending it twice must have the
   * effect of sending it once.
   *
   * @default {false}
   */
  idempotent?: boolean;
  /**
   * Whether a batch that was refused because of its data is split, until the bad items stand alone:
   * the others are saved. One bad item among n costs at most `2 * Math.ceil(Math.log2(n))` further
   * calls of the send function, also where the batch as a whole was tried again before. An error says with a property `bisectable`, `true` or `false`, whether it is about
   * single items. One that does not say it is taken to be, unless it is a `TypeError` (as of a
   * `fetch` without a network) or says `retryable: true`. A function decides instead.
   *
   * @default {false}
   */
  bisect?: boolean | ((error: unknown) => boolean);
  /**
   * What must be sent in order: of two items with the same key, the second is not sent before the
   * first one is settled and every call of the send function with it has come back. Keys are compared
   * as those of a `Map`. Without it, batches overtake each other where `maxInFlight` is above 1.
   *
   * A call that has run out of time may still save its items. As long as it has not come back, those
   * with the same key wait behind it, but no longer than `timeout`: then they are unsent.
   */
  orderingKey?: (item: T) => unknown;
  /** What no batch mixes, as a destination. Compared as the keys of a `Map`. */
  groupBy?: (item: T) => unknown;
  /** Aborts the batcher, as `abort()` does. */
  signal?: AbortSignal;
  /**
   * Called after every attempt to send a batch. What it throws is written to the console, once, and
   * changes nothing.
   */
  onBatch?: (report: BatchReport) => void;
  /**
   * Called with each item that was added or pushed and not saved: the place for a dead-letter table.
   * What it throws is written to the console, once, and changes nothing.
   */
  onFailure?: (failure: Failure<T>) => void;
  /**
   * Most failures of pushed items that are kept for `flush()` and `close()` to report. Of those
   * beyond it, only the number is kept. May be `Infinity`.
   *
   * @default {10_000}
   */
  maxFailures?: number;
  /**
   * Whether the first pushed item that is not saved stops the batcher: nothing more is taken or sent,
   * `push()` rejects and `writable` errors. What is in flight comes to its end.
   *
   * @default {false}
   */
  failFast?: boolean;
}

/** The options with every default filled in. */
export interface ResolvedOptions<T> {
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Checks what the user's function gives back. */
  readonly sizeOf: ((item: T) => number) | undefined;
  readonly linger: number;
  readonly maxInFlight: number;
  readonly rateLimit: RateLimit | undefined;
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
  readonly timeout: number;
  readonly retry: RetryPolicy;
  readonly idempotent: boolean;
  /** Never throws. */
  readonly isBisectable: (error: unknown) => boolean;
  readonly orderingKey: ((item: T) => unknown) | undefined;
  readonly groupBy: ((item: T) => unknown) | undefined;
  readonly signal: AbortSignal | undefined;
  /** Never throw. */
  readonly onBatch: ((report: BatchReport) => void) | undefined;
  readonly onFailure: ((failure: Failure<T>) => void) | undefined;
  readonly maxFailures: number;
  readonly failFast: boolean;
}

/** Fills in the defaults and refuses what cannot work. */
export function resolveOptions<T>(options: AsyncBatcherOptions<T>): ResolvedOptions<T> {
  const {
    maxItems = 500,
    maxBytes = Infinity,
    oversized = "refuse",
    sizeOf,
    linger = 0,
    maxInFlight = 4,
    rateLimit,
    maxQueued,
    maxQueuedBytes = Infinity,
    timeout = 30_000,
    retry = false,
    idempotent = false,
    bisect = false,
    orderingKey,
    groupBy,
    signal,
    onBatch,
    onFailure,
    maxFailures = 10_000,
    failFast = false,
  } = options;
  const intent = "create a batcher";
  for (
    const [name, value] of Object.entries({
      maxItems,
      maxBytes,
      maxInFlight,
      maxQueued: maxQueued ?? 1,
      maxQueuedBytes,
      maxFailures,
    })
  ) assertPositiveInteger(intent, name, value, { infinite: true });
  assertMilliseconds(intent, "linger", linger);
  assertMilliseconds(intent, "timeout", timeout, 1);
  if (oversized !== "refuse" && oversized !== "alone") {
    throw new TypeError(
      `Cannot create a batcher as 'oversized' must be "refuse" or "alone": current value is ${
        describe(oversized)
      }`,
    );
  }
  for (const [name, value] of Object.entries({ sizeOf, orderingKey, groupBy })) {
    if (value !== undefined) assertFunction(intent, name, value);
  }
  for (const [name, value] of Object.entries({ maxBytes, maxQueuedBytes })) {
    if (value !== Infinity && sizeOf === undefined) {
      throw new TypeError(`Cannot create a batcher as '${name}' needs 'sizeOf', which is missing`);
    }
  }
  const largest = oversized === "alone" ? Infinity : maxBytes;
  return {
    maxItems: Math.min(maxItems, rateLimit?.items ?? Infinity),
    maxBytes,
    sizeOf: sizeOf && ((item) => checkedSize(sizeOf(item), largest)),
    linger,
    maxInFlight,
    rateLimit: rateLimit && new RateLimit(rateLimit),
    maxQueued: maxQueued ?? maxItems * maxInFlight,
    maxQueuedBytes,
    timeout,
    retry: retryPolicy(retry),
    idempotent,
    isBisectable: bisection(bisect),
    orderingKey,
    groupBy,
    signal,
    onBatch: guardHook("onBatch", onBatch),
    onFailure: guardHook("onFailure", onFailure),
    maxFailures,
    failFast,
  };
}

function checkedSize(bytes: unknown, maxBytes: number): number {
  if (typeof bytes !== "number" || !(bytes >= 0 && bytes < Infinity)) {
    throw new RangeError(
      `Cannot add an item as 'sizeOf' must return a number of bytes: it returned ${
        describe(bytes)
      }`,
    );
  }
  if (bytes > maxBytes) {
    throw new RangeError(
      `Cannot add an item of ${bytes} bytes as it is larger than a batch may be: 'maxBytes' is ${maxBytes}`,
    );
  }
  return bytes;
}
