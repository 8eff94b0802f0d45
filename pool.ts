/**
 * Run a function of yours on every core: {@linkcode WorkPool} keeps worker threads that have loaded its
 * module, and gives each item to one that is free. It runs in Deno, Node 22 or later, and Bun.
 *
 * @example Square roots, in threads
 * ```ts
 * import { WorkPool } from "@burst/batcher/pool";
 * import { assertEquals } from "@std/assert";
 *
 * // In a program: new URL("./root.work.ts", import.meta.url)
 * const module = "data:text/javascript,export default Math.sqrt";
 * await using pool = new WorkPool<{ default(n: number): number }>(module);
 * const roots = await Promise.all([1, 4, 9].map((n) => pool.run(n)));
 * assertEquals(roots, [1, 2, 3]);
 * ```
 *
 * @module
 */
import { type Computed, Crew } from "./_internal/pool/crew.ts";
import {
  PoolClosedError,
  WorkError,
  WorkerStartError,
  type WorkFailure,
} from "./_internal/pool/errors.ts";
import { mapItems, type Result } from "./_internal/pool/map.ts";
import {
  type DataOf,
  type MapOptions,
  resolvePoolOptions,
  type RunOptions,
  type WorkPoolOptions,
} from "./_internal/pool/options.ts";
import { Task } from "./_internal/pool/task.ts";
import {
  assertFunction,
  assertPositiveInteger,
  assertSignal,
} from "./_internal/shared/validate.ts";

export { PoolClosedError, WorkError, WorkerStartError };
export type { Computed, DataOf, MapOptions, Result, RunOptions, WorkFailure, WorkPoolOptions };

/** What the function of a module takes. */
export type TaskOf<M extends object, E extends PropertyKey = "default"> = E extends keyof M
  ? M[E] extends (task: infer T, ...more: never[]) => unknown ? T : never
  : M extends { many(tasks: readonly (infer T)[]): unknown } ? T
  : unknown;

/** What the function of a module returns. */
export type ResultOf<M extends object, E extends PropertyKey = "default"> = E extends keyof M
  ? M[E] extends (...args: never[]) => infer R ? Awaited<R> : never
  : M extends { many(tasks: never): infer R }
    ? Awaited<R> extends readonly (infer V)[] ? Exclude<V, Error> : never
  : unknown;

/**
 * Runs a function of a module on every core, in worker threads, and leaves the thread of the event
 * loop free.
 *
 * The module exports the function. Its arguments and results are copied between threads, as
 * `structuredClone()` does. It may also export:
 * - `setup(data)`, called and awaited once in each worker, before anything else.
 * - `many(tasks)`, called instead of the default export with up to `atOnce` tasks, if computing several
 *   together is faster. It returns as many results, in order. An `Error` among them rejects that task.
 *   If `many()` fails, each of its tasks is tried alone. With `kindOf(task)`, only tasks of one kind
 *   are computed together.
 * - `transfer(result)`, which lists the parts of a result to move instead of copy.
 * - `teardown()`, called and awaited in each worker when the pool is closed.
 *
 * Each item ends once, with its result or with a {@linkcode WorkError}. The function may throw anything,
 * loop for ever (set a `timeout`), exit, or fill its heap: only its own item fails, and a new worker
 * replaces one that died. If a worker dies, items that it had computed but not yet returned are
 * computed again, so the function should have no side effects.
 *
 * Items are served first come, first served. Cheap ones travel to the workers in groups. Workers start
 * when there is work for them, and stay; an idle pool does not keep the process alive. Workers have the
 * permissions of the program. A module on the local disk needs `--allow-read` for it.
 *
 * @example A function in a module of its own
 * ```ts ignore
 * // thumbnail.work.ts
 * export default function thumbnail(image: Uint8Array): Uint8Array { … }
 *
 * // main.ts
 * await using pool = new WorkPool<typeof import("./thumbnail.work.ts")>(
 *   new URL("./thumbnail.work.ts", import.meta.url),
 * );
 * const small = await pool.run(image);
 * ```
 *
 * @example Many items
 * ```ts
 * import { WorkPool } from "@burst/batcher/pool";
 * import { assertEquals } from "@std/assert";
 *
 * const source = `export default (n) => {
 *   if (n < 0) throw new RangeError("negative");
 *   return Math.sqrt(n);
 * }`;
 * await using pool = new WorkPool<{ default(n: number): number }>(
 *   `data:text/javascript,${encodeURIComponent(source)}`,
 *   { timeout: 1000 },
 * );
 * const rows = [{ id: 1, n: 9 }, { id: 2, n: -9 }, { id: 3, n: 16 }];
 * const roots: number[] = [], failed: number[] = [];
 * for await (
 *   const { result } of pool.map(rows, {
 *     task: (row) => row.n,
 *     ordered: true,
 *     onError: (_error, row) => failed.push(row.id),
 *   })
 * ) roots.push(result);
 * assertEquals([roots, failed], [[3, 4], [2]]);
 * ```
 *
 * @typeParam M The type of the module: `typeof import("./work.ts")`.
 * @typeParam E The name of the export that computes.
 */
export class WorkPool<M extends object = object, E extends PropertyKey = "default">
  implements AsyncDisposable {
  /** Most workers at once. */
  readonly workers: number;
  readonly #crew: Crew;

  /**
   * Constructs a pool. No worker is started yet.
   *
   * @param module The absolute URL of the module.
   * @param options The options.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If the module is not an absolute URL, or an option is of the wrong kind.
   */
  constructor(module: string | URL, options: WorkPoolOptions<M, E> = {}) {
    const { workers, onComputed, ...settings } = resolvePoolOptions(
      module,
      options as WorkPoolOptions,
    );
    this.workers = workers;
    this.#crew = new Crew(workers, settings, onComputed);
  }

  /** Items that wait for a worker. */
  get size(): number {
    return this.#crew.queued;
  }

  /** Items that the workers hold. Each worker computes one of its items at a time. */
  get inFlight(): number {
    return this.#crew.inFlight;
  }

  /**
   * Starts a worker if there is none, and finds out whether the module can be used.
   *
   * @throws {WorkerStartError} If it cannot be loaded, has no such export, or its `setup()` fails.
   * @throws {PoolClosedError} If the pool is closed.
   */
  start(): Promise<void> {
    return this.#crew.start();
  }

  /**
   * Computes one item.
   *
   * @param task The argument of the function.
   * @param options The options.
   * @returns Its result.
   * @throws {WorkError} If it has none.
   * @throws {WorkerStartError} If no worker can be started.
   * @throws {PoolClosedError} If the pool is closed, or disposed of before the item is done.
   */
  run(task: TaskOf<M, E>, options?: RunOptions): Promise<ResultOf<M, E>> {
    return new Promise((resolve, reject) => {
      assertSignal("use a pool", options?.signal)?.throwIfAborted();
      const ending = { resolve: resolve as (result: unknown) => void, reject };
      this.#crew.add(new Task(task, task, ending, options?.transfer), options?.signal);
    });
  }

  /**
   * Computes many items, and reads only a limited number of them ahead: a slow consumer slows the
   * reading of the source down. Nothing is read before the module is known to work.
   *
   * An item without a result ends the iteration with a {@linkcode WorkError} that carries it. With
   * `onError`, the others go on. If the source fails, the items before that are yielded first. Leaving
   * the loop closes the source and cancels the work that is not done.
   *
   * @typeParam T The type of the items.
   * @param items The items.
   * @param options The options. `task` is required if items are not what the function takes.
   * @returns The items and their results, as they are done or in order.
   * @throws {RangeError} If `lookAhead` is not a positive integer.
   * @throws {TypeError} If another option is not a function.
   * @throws {WorkError} If an item has no result and there is no `onError`.
   * @throws {WorkerStartError} If no worker can be started.
   * @throws {PoolClosedError} If the pool is closed before the end.
   */
  map<T = TaskOf<M, E>>(
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions<T, TaskOf<M, E>> = {},
  ): AsyncGenerator<Result<T, ResultOf<M, E>>, void, undefined> {
    const { lookAhead } = options;
    const intent = "compute items";
    if (lookAhead !== undefined) assertPositiveInteger(intent, "lookAhead", lookAhead);
    for (const name of ["task", "transfer", "onError"] as const) {
      if (options[name] !== undefined) assertFunction(intent, name, options[name]);
    }
    const crew = this.#crew;
    return mapItems({
      ...(options as MapOptions<T>),
      items,
      lookAhead: lookAhead === undefined ? () => crew.lookAhead : () => lookAhead,
      start: () => crew.start(),
      submit: (task) => crew.add(task),
      withdraw: (task, reason) => crew.withdraw(task, reason),
    });
  }

  /**
   * Accepts no more items, ends the workers once their items are done, and resolves when all threads
   * have ended. A `map()` in progress fails at its next item.
   */
  close(): Promise<void> {
    return this.#crew.close();
  }

  /**
   * Ends the workers at once, at the end of an `await using` block. Unfinished items are rejected with a
   * {@linkcode PoolClosedError}.
   */
  [Symbol.asyncDispose](): Promise<void> {
    return this.abort();
  }

  /**
   * Ends the workers at once, whatever they are doing, and rejects unfinished items.
   *
   * @param reason The reason to reject with, by default a {@linkcode PoolClosedError}.
   */
  abort(
    reason: unknown = new PoolClosedError("Cannot compute an item as the pool was closed before"),
  ): Promise<void> {
    this.#crew.abort(reason);
    return this.#crew.close();
  }
}
