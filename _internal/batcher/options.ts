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
  assertType,
  describe,
} from "../shared/validate.ts";

/**
 * Options of an {@linkcode AsyncBatcher}.
 *
 * @typeParam T The type of the items.
 */
export interface AsyncBatcherOptions<T> {
  /**
   * Most items in a batch. A full batch leaves as soon as a slot is free. May be `Infinity`.
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
   * What to do with an item that is larger than `maxBytes`: refuse it, or send it in a batch of its
   * own.
   *
   * @default {"refuse"}
   */
  oversized?: "refuse" | "alone";
  /** The size of an item in bytes. Needed with `maxBytes` and `maxQueuedBytes`. */
  sizeOf?: (item: T) => number;
  /**
   * How long, in milliseconds, the first item of a batch waits for the batch to fill. With 0, what was
   * added in one turn of the event loop leaves together at its end, if a slot is free. Otherwise the
   * batch keeps growing until one is.
   *
   * @default {0}
   */
  linger?: number;
  /**
   * Most batches in flight. May be `Infinity`.
   *
   * @default {4}
   */
  maxInFlight?: number;
  /** The most that may leave within some time, for a sink with a quota. */
  rateLimit?: RateLimitOptions;
  /**
   * Most items in the queue. Beyond it `push()` waits, first come, first served. Items that wait for a
   * retry have a bound of their own, four times as large. May be `Infinity`.
   *
   * @default {maxItems * maxInFlight}
   */
  maxQueued?: number;
  /**
   * Most bytes in the queue, as counted by `sizeOf`. The item that exceeds them is still accepted.
   *
   * @default {Infinity}
   */
  maxQueuedBytes?: number;
  /**
   * How long, in milliseconds, an attempt to send a batch may take. After that, its signal is aborted,
   * its slot is free, and the outcome is unknown, whatever the send function does.
   *
   * @default {30_000}
   */
  timeout?: number;
  /**
   * Whether and when items that could not be saved are sent again. Until then they hold no slot.
   *
   * @default {false}
   */
  retry?: RetryOptions | false;
  /**
   * Whether a batch whose outcome is unknown may be sent again: sending it twice must have the effect
   * of sending it once.
   *
   * @default {false}
   */
  idempotent?: boolean;
  /**
   * Whether a batch that was refused because of its data is split until the bad items stand alone, so
   * that the others are saved. One bad item among n costs at most `2 * Math.ceil(Math.log2(n))` more
   * calls of the send function, even if the whole batch was retried before.
   *
   * An error says whether it is about single items with a property `bisectable`, `true` or `false`. An
   * error without one is taken to be, unless it is a `TypeError` (as from `fetch` without a network)
   * or has `retryable: true`. Pass a function to decide yourself.
   *
   * @default {false}
   */
  bisect?: boolean | ((error: unknown) => boolean);
  /**
   * The key of an item. Items with the same key are sent in order: the second is not sent until the
   * first is settled and every call of the send function with it has returned. Keys are compared as in
   * a `Map`. Without it, batches may overtake each other if `maxInFlight` is above 1.
   *
   * A call that has timed out may still save its items. Until it returns, items with the same key wait,
   * as long as retries may go on, or for `timeout` where there are none: then they are unsent.
   */
  orderingKey?: (item: T) => unknown;
  /** The group of an item, such as a destination; no batch mixes groups. Compared as in a `Map`. */
  groupBy?: (item: T) => unknown;
  /** Aborts the batcher, as `abort()` does. */
  signal?: AbortSignal;
  /**
   * Called after every attempt to send a batch. An error that it throws is written to the console,
   * once, and changes nothing.
   */
  onBatch?: (report: BatchReport) => void;
  /**
   * Called with each item that was not saved, whether added or pushed: the place for a dead-letter
   * table. An error that it throws is written to the console, once, and changes nothing.
   */
  onFailure?: (failure: Failure<T>) => void;
  /**
   * Most failures of pushed items that are kept for `flush()` and `close()` to report. Further ones
   * are only counted. May be `Infinity`.
   *
   * @default {10_000}
   */
  maxFailures?: number;
  /**
   * Whether the first pushed item that is not saved stops the batcher: it accepts and sends nothing
   * more, `push()` rejects and `writable` errors. Batches in flight are still awaited.
   *
   * @default {false}
   */
  failFast?: boolean;
}

/** The options with every default filled in. */
export interface ResolvedOptions<T> {
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Checks what the user's function returns. */
  readonly sizeOf: ((item: T) => number) | undefined;
  readonly linger: number;
  readonly maxInFlight: number;
  readonly rateLimit: RateLimit | undefined;
  readonly maxQueued: number;
  readonly maxQueuedBytes: number;
  readonly timeout: number;
  readonly retry: RetryPolicy;
  readonly idempotent: boolean;
  /** Whether to split a batch that was refused with this error. Never throws. */
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
  const infinite = { infinite: true };
  assertPositiveInteger(intent, "maxItems", maxItems, infinite);
  assertPositiveInteger(intent, "maxBytes", maxBytes, infinite);
  assertPositiveInteger(intent, "maxInFlight", maxInFlight, infinite);
  assertPositiveInteger(intent, "maxQueued", maxQueued ?? 1, infinite);
  assertPositiveInteger(intent, "maxQueuedBytes", maxQueuedBytes, infinite);
  assertPositiveInteger(intent, "maxFailures", maxFailures, infinite);
  assertMilliseconds(intent, "linger", linger);
  assertMilliseconds(intent, "timeout", timeout, 1);
  assertType(intent, "idempotent", idempotent, "boolean");
  assertType(intent, "failFast", failFast, "boolean");
  if (retry !== false) assertType(intent, "retry", retry, "object");
  if (rateLimit !== undefined) assertType(intent, "rateLimit", rateLimit, "object");
  if (oversized !== "refuse" && oversized !== "alone") {
    throw new TypeError(
      `Cannot create a batcher as 'oversized' must be "refuse" or "alone": current value is ${
        describe(oversized)
      }`,
    );
  }
  if (sizeOf !== undefined) assertFunction(intent, "sizeOf", sizeOf);
  if (orderingKey !== undefined) assertFunction(intent, "orderingKey", orderingKey);
  if (groupBy !== undefined) assertFunction(intent, "groupBy", groupBy);
  if (sizeOf === undefined && Math.min(maxBytes, maxQueuedBytes) < Infinity) {
    const name = maxBytes < Infinity ? "maxBytes" : "maxQueuedBytes";
    throw new TypeError(`Cannot create a batcher as '${name}' needs 'sizeOf', which is missing`);
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
