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
   * Most milliseconds for which one item may be computed, from its beginning. Then its worker is ended,
   * even in the middle of a loop, and only this item fails. By default there is no limit.
   */
  timeout?: number;
  /** What `setup()` is called with in each worker. It is copied. */
  data?: DataOf<M>;
  /**
   * Name of the function that computes.
   *
   * @default {"default"}
   */
  export?: E & string;
  /**
   * Most milliseconds until a worker is ready: the module loaded, and its `setup()` done.
   *
   * @default {30_000}
   */
  startTimeout?: number;
  /**
   * Most megabytes of the JavaScript heap of each worker. A worker that needs more is ended, and the
   * item that it was at fails. What lies outside of the heap, such as the bytes of an `ArrayBuffer`,
   * does not count; and Bun has no such limit.
   *
   * @default {2048}
   */
  maxHeap?: number;
  /** Called for each result, before it is handed over. */
  onComputed?: (computed: Computed) => void;
  /**
   * Makes a worker, for bundlers: of a program that imports this module and does no more, with the
   * options given.
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
  /** Rejects with its reason, at once. What is being computed is ended, unless it is done soon. */
  signal?: AbortSignal;
  /** What of the task is moved instead of copied: buffers and ports that nobody needs here. */
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
   * What of an item is computed; what it throws is an error of the item.
   *
   * @default {(item) => item}
   */
  task?: (item: T) => A;
  /** What of a task is moved instead of copied. */
  transfer?: (task: A) => readonly Transferable[];
  /**
   * Whether results come in the order of the items, or as they are done.
   *
   * @default {false}
   */
  ordered?: boolean;
  /**
   * Most items that have been taken from the source and whose results have not been asked for.
   *
   * @default {as many as take the workers 100 ms, from 4 to 1024 for each of them}
   */
  lookAhead?: number;
  /** Ends it with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Called, and awaited, instead of a result where an item has none. What it throws ends the
   * iteration; without it, the first such item does.
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
