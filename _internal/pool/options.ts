import { availableParallelism } from "node:os";
import { Worker, type WorkerOptions } from "node:worker_threads";
import {
  assertFunction,
  assertMilliseconds,
  assertPositiveInteger,
  describe,
} from "../shared/validate.ts";
import type { Computed } from "./crew.ts";
import type { WorkError } from "./errors.ts";
import type { WorkerSettings } from "./worker.ts";

/**
 * Options of {@linkcode WorkPool}.
 *
 * @typeParam M The type of the module.
 * @typeParam E The name of the export.
 */
export interface WorkPoolOptions<M extends object = object, E extends PropertyKey = "default"> {
  /**
   * Most workers at once. They are started when there is work for them.
   *
   * @default {navigator.hardwareConcurrency}
   */
  workers?: number;
  /**
   * How long one item may take, in milliseconds, from its own start. Then its worker is ended, even in
   * the middle of a loop, and only this item fails. By default there is no limit.
   */
  timeout?: number;
  /** The argument of `setup()` in each worker. It is copied. */
  data?: DataOf<M>;
  /**
   * The name of the function to run.
   *
   * @default {"default"}
   */
  export?: E & string;
  /**
   * How long a worker may take to load the module and run its `setup()`, in milliseconds.
   *
   * @default {30_000}
   */
  startTimeout?: number;
  /**
   * The largest JavaScript heap of a worker, in megabytes. A worker that needs more is ended, and the
   * item it was computing fails. Memory outside the heap, such as the bytes of an `ArrayBuffer`, does
   * not count. Bun has no such limit.
   *
   * @default {2048}
   */
  maxHeap?: number;
  /** Called for each result, before the caller gets it. */
  onComputed?: (computed: Computed) => void;
  /**
   * Makes a worker, for bundlers: from a program that only imports this module, with all of the
   * given options.
   *
   * @default {(url, options) => new Worker(url, options)}
   */
  createWorker?: (url: URL, options: WorkerOptions) => Worker;
}

/** What the `setup()` of a module takes. */
export type DataOf<M> = M extends { setup(data: infer D): unknown } ? D : unknown;

/**
 * Options of {@linkcode WorkPool.run}.
 */
export interface RunOptions {
  /** Rejects with its reason at once. A computation in progress is ended, unless it is done soon. */
  signal?: AbortSignal;
  /** Parts of the task to move instead of copy: buffers and ports that you no longer need. */
  transfer?: readonly Transferable[];
}

/**
 * Options of {@linkcode WorkPool.map}.
 *
 * @typeParam T The type of the items.
 * @typeParam A What the function takes.
 */
export interface MapOptions<T, A = unknown> {
  /**
   * Makes the argument of the function from an item. An error rejects the item.
   *
   * @default {(item) => item}
   */
  task?: (item: T) => A;
  /** Lists the parts of a task to move instead of copy. */
  transfer?: (task: A) => readonly Transferable[];
  /**
   * Whether results come in the order of the items, rather than as they are done.
   *
   * @default {false}
   */
  ordered?: boolean;
  /**
   * Most items that have been read and whose results have not been taken.
   *
   * @default {100 ms of work, from 4 to 1024 items for each worker}
   */
  lookAhead?: number;
  /** Ends the iteration with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Called and awaited for an item without a result. An error that it throws ends the iteration;
   * without `onError`, the first such item does.
   */
  onError?: (error: WorkError<T>, item: T) => unknown;
}

/** The options of a pool with their defaults. */
export interface ResolvedPoolOptions extends WorkerSettings {
  readonly workers: number;
  readonly onComputed: ((computed: Computed) => void) | undefined;
}

/** Fills in the defaults, and checks. */
export function resolvePoolOptions(
  module: string | URL,
  options: WorkPoolOptions,
): ResolvedPoolOptions {
  const {
    workers = availableCores(),
    timeout,
    data,
    export: name = "default",
    startTimeout = 30_000,
    maxHeap = 2048,
    onComputed,
    createWorker = (url, options) => new Worker(url, options),
  } = options;
  const intent = "create a pool";
  assertPositiveInteger(intent, "workers", workers);
  if (timeout !== undefined) assertMilliseconds(intent, "timeout", timeout, 1);
  assertMilliseconds(intent, "startTimeout", startTimeout, 1);
  assertPositiveInteger(intent, "maxHeap", maxHeap);
  if (onComputed !== undefined) assertFunction(intent, "onComputed", onComputed);
  assertFunction(intent, "createWorker", createWorker);
  if (typeof name !== "string") {
    throw new TypeError(
      `Cannot ${intent} as 'export' must be a string: current value is ${describe(name)}`,
    );
  }
  const thread = { module: href(module), export: name, data, spans: onComputed !== undefined };
  return { workers, timeout, startTimeout, maxHeap, thread, onComputed, createWorker };
}

function href(module: unknown): string {
  if (module instanceof URL || typeof module === "string" && URL.canParse(module)) {
    return String(module);
  }
  throw new TypeError(
    `Cannot create a pool as 'module' must be an absolute URL, such as new URL("./work.ts", import.meta.url): current value is ${
      typeof module === "string" ? JSON.stringify(module) : describe(module)
    }`,
  );
}

function availableCores(): number {
  return globalThis.navigator?.hardwareConcurrency ?? availableParallelism();
}
