import type { Send, Sink } from "../../batcher.ts";
import type { RowOutcome } from "../../postgres.ts";
import {
  assertFunction,
  assertMilliseconds,
  assertPositiveInteger,
  assertSignal,
  describe,
} from "../shared/validate.ts";
import type { Source } from "./reader.ts";

/**
 * What became of an item.
 *
 * - `"inserted"`: its row is new in the sink, or the sink says only that it is saved.
 * - `"updated"`: its key was there, and has new values.
 * - `"skipped"`: its key was there and stays as it is, or there was nothing to save.
 * - `"rejected"`: it could not be computed, or the sink refused its row.
 * - `"unknown"`: its row was sent, and no answer came. It may be there.
 * - `"unfinished"`: it was read, and the pipeline stopped before it was saved.
 */
export type ItemOutcome = RowOutcome | "rejected" | "unknown" | "unfinished";

/** How many items were read, and what became of them: `read` is the sum of the others. */
export type PipelineAccount = { readonly [K in "read" | ItemOutcome]: number };

/**
 * How an item ended.
 *
 * @typeParam Row The type of the rows.
 */
export interface ItemEnd<Row = unknown> {
  /** What became of it. */
  readonly outcome: ItemOutcome;
  /** Its place in the source, from 0. */
  readonly index: number;
  /** The row that was computed for it, if one was. */
  readonly row?: Row;
  /** Why it was rejected or is unknown, or what stopped the pipeline. It may quote the row. */
  readonly error?: unknown;
}

/** What a look-up finds for a key. */
export interface Existing {
  /** The same for all ways to write a key, such as `7` and `07`. Compared as in a `Map`. */
  readonly key: unknown;
  /** The row that has this key; `undefined` if there is none. */
  readonly row: unknown;
}

/** What a computation learns about its item. */
export interface ComputeContext {
  /** Aborted when the pipeline is to stop: the computation should end. */
  readonly signal: AbortSignal;
  /** Whether the key of the item is there already. */
  readonly exists: boolean;
}

/**
 * Options of {@linkcode runPipeline}.
 *
 * @typeParam T The type of the items.
 * @typeParam Row The type of the rows.
 */
export interface PipelineOptions<T, Row> {
  /**
   * Computes the row of an item, usually on a pool. `null` means that there is nothing to save. An
   * error rejects the item alone, except the error of a pool that is closed or cannot start a worker,
   * which stops the pipeline.
   */
  compute: (
    item: T,
    context: ComputeContext,
  ) => Row | null | undefined | Promise<Row | null | undefined>;
  /**
   * Saves rows in batches. An `Error` as the result of a row rejects that row alone, and so does an
   * error with `bisectable: true`. Any other refusal stops the pipeline. Unless its `defaults` say
   * otherwise, a batch waits up to 50 ms to fill, as long as others may come.
   */
  sink: Sink<Row, RowOutcome | void> | Send<Row, RowOutcome | void>;
  /**
   * The key of an item. Items with the same key go one after the other, in the order of the source.
   * An error rejects the item alone.
   */
  key?: (item: T) => unknown;
  /** Finds out which keys are there already, as `postgresLookup` does, before anything is computed. */
  lookup?: Sink<unknown, Existing>;
  /**
   * Whether to skip or compute an item whose key is there already. It is there if the look-up says so,
   * or if an earlier item, pending at the same time, has the same key.
   *
   * @default {"skip"}
   */
  onExisting?: "skip" | "compute";
  /**
   * Called once for every item, when it has ended. The item stays pending until this has settled. An
   * error stops the pipeline.
   */
  onEnd?: (item: T, end: ItemEnd<NoInfer<Row>>) => void | Promise<void>;
  /**
   * Most items that have been read and have not ended.
   *
   * @default {1_000}
   */
  maxPending?: number;
  /**
   * How long the pipeline may take to save what is computed once it is to stop, in milliseconds. May be
   * `Infinity`.
   *
   * @default {Infinity}
   */
  gracePeriod?: number;
  /**
   * Stops the pipeline: it reads and computes no more, saves what is computed, and ends with its
   * account.
   */
  signal?: AbortSignal;
}

/** Refuses what cannot work. */
export function checkOptions<T, Row>(source: Source<T>, options: PipelineOptions<T, Row>): void {
  const {
    compute,
    sink,
    key,
    lookup,
    onExisting = "skip",
    onEnd,
    maxPending = 1,
    gracePeriod = 0,
    signal,
  } = options;
  const intent = "run a pipeline";
  const isIterable = typeof source === "function" ||
    Object(source)[Symbol.asyncIterator] !== undefined ||
    Object(source)[Symbol.iterator] !== undefined;
  if (!isIterable) {
    throw new TypeError(
      `Cannot run a pipeline as 'source' must be iterable: current value is ${describe(source)}`,
    );
  }
  assertFunction(intent, "compute", compute);
  assertFunction(intent, "sink.send", typeof sink === "function" ? sink : sink?.send);
  if (key !== undefined) assertFunction(intent, "key", key);
  if (lookup !== undefined) {
    assertFunction(intent, "lookup.send", lookup.send);
    if (key === undefined) {
      throw new TypeError("Cannot run a pipeline as 'lookup' needs 'key', which is missing");
    }
  }
  if (!["skip", "compute"].includes(onExisting)) {
    throw new TypeError(
      `Cannot run a pipeline as 'onExisting' must be "skip" or "compute": current value is ${
        JSON.stringify(onExisting)
      }`,
    );
  }
  if (onEnd !== undefined) assertFunction(intent, "onEnd", onEnd);
  assertSignal(intent, signal);
  assertPositiveInteger(intent, "maxPending", maxPending);
  if (gracePeriod !== Infinity) assertMilliseconds(intent, "gracePeriod", gracePeriod);
}
