import type { BatchReport } from "../shared/contract.ts";
import { type RetryOptions, type RetryPolicy, retryPolicy } from "./retry.ts";
import { bisection } from "./bisect.ts";
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
   * Most items in a batch. A batch that holds them leaves as soon as a slot is free.
   *
   * @default {500}
   */
  maxItems?: number;
  /**
   * Most bytes in a batch, as counted by `sizeOf`. A larger item is refused.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
  /** The size of an item in bytes. Needed with `maxBytes`. */
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
   * Most batches out at a time.
   *
   * @default {4}
   */
  maxInFlight?: number;
  /**
   * Most items in the queue. Above it `add()` and `push()` wait, first come first served. May be
   * `Infinity`.
   *
   * @default {maxItems * maxInFlight}
   */
  maxQueued?: number;
  /**
   * How long, in milliseconds, an attempt to send a batch may take. After it, the batch's signal is
   * aborted and the outcome is unknown, whatever the send function does.
   *
   * @default {30_000}
   */
  timeout?: number;
  /**
   * Whether and when a batch is sent again.
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
   * the others are saved. One bad item among n costs at most about `2 * Math.log2(n)` calls of the
   * send function. An error says with a property `bisectable`, `true` or `false`, whether it is about
   * single items. One that does not say it is taken to be, unless it is a `TypeError` (as of a
   * `fetch` without a network) or says `retryable: true`. A function decides instead.
   *
   * @default {false}
   */
  bisect?: boolean | ((error: unknown) => boolean);
  /**
   * What must be sent in order: of two items with the same key, the second is not sent before the
   * first one's batch has ended, unless in the same batch. Keys are compared as those of a `Map`.
   * Without it, batches overtake each other where `maxInFlight` is above 1.
   */
  orderingKey?: (item: T) => unknown;
  /** Aborts the batcher, as `abort()` does. */
  signal?: AbortSignal;
  /**
   * Called after every attempt to send a batch. What it throws is written to the console, once, and
   * changes nothing.
   */
  onBatch?: (report: BatchReport) => void;
}

/** The options with every default filled in. */
export interface ResolvedOptions<T> {
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Checks what the user's function gives back; 0 without one. */
  readonly sizeOf: (item: T) => number;
  readonly linger: number;
  readonly maxInFlight: number;
  readonly maxQueued: number;
  readonly timeout: number;
  readonly retry: RetryPolicy;
  readonly idempotent: boolean;
  /** Never throws. */
  readonly isBisectable: (error: unknown) => boolean;
  readonly orderingKey: ((item: T) => unknown) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onBatch: ((report: BatchReport) => void) | undefined;
}

/** Fills in the defaults and refuses what cannot work. */
export function resolveOptions<T>(options: AsyncBatcherOptions<T>): ResolvedOptions<T> {
  const {
    maxItems = 500,
    maxBytes = Infinity,
    sizeOf,
    linger = 0,
    maxInFlight = 4,
    maxQueued = maxItems * maxInFlight,
    timeout = 30_000,
    retry = false,
    idempotent = false,
    bisect = false,
    orderingKey,
    signal,
    onBatch,
  } = options;
  const intent = "create a batcher";
  assertPositiveInteger(intent, "maxItems", maxItems);
  assertPositiveInteger(intent, "maxBytes", maxBytes, { infinite: true });
  assertMilliseconds(intent, "linger", linger);
  assertPositiveInteger(intent, "maxInFlight", maxInFlight);
  assertPositiveInteger(intent, "maxQueued", maxQueued, { infinite: true });
  assertMilliseconds(intent, "timeout", timeout, 1);
  if (sizeOf !== undefined) assertFunction(intent, "sizeOf", sizeOf);
  else if (maxBytes !== Infinity) {
    throw new TypeError("Cannot create a batcher as 'maxBytes' needs 'sizeOf', which is missing");
  }
  if (orderingKey !== undefined) assertFunction(intent, "orderingKey", orderingKey);
  if (onBatch !== undefined) assertFunction(intent, "onBatch", onBatch);
  return {
    maxItems,
    maxBytes,
    sizeOf: sizeOf === undefined ? () => 0 : (item) => checkedSize(sizeOf(item), maxBytes),
    linger,
    maxInFlight,
    maxQueued,
    timeout,
    retry: retryPolicy(retry),
    idempotent,
    isBisectable: bisection(bisect),
    orderingKey,
    signal,
    onBatch,
  };
}

function checkedSize(bytes: number, maxBytes: number): number {
  if (!(bytes >= 0 && bytes < Infinity)) {
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
