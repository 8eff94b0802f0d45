/**
 * Why an item has no result: its function threw, its task or its result cannot be sent between
 * threads, it took longer than its `timeout`, or its worker died.
 */
export type WorkFailure = "threw" | "task" | "result" | "timeout" | "died";

/**
 * An item has no result; the pool goes on with the others. `cause` is what was thrown, as far as it
 * could be sent from the worker.
 *
 * @example Find out why it failed
 * ```ts
 * import { WorkError, WorkPool } from "@burst/batcher/pool";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const source = `export default (n) => {
 *   if (n < 0) throw new RangeError("negative");
 *   return n;
 * }`;
 * await using pool = new WorkPool<{ default(n: number): number }>(
 *   `data:text/javascript,${encodeURIComponent(source)}`,
 * );
 * const error = await pool.run(-1).catch((error) => error);
 * assert(error instanceof WorkError);
 * assertEquals([error.reason, error.item], ["threw", -1]);
 * assert(error.cause instanceof RangeError);
 * ```
 *
 * @typeParam T The type of the item.
 */
export class WorkError<T = unknown> extends Error {
  readonly #item: T;
  /** Why there is no result. */
  readonly reason: WorkFailure;

  /**
   * Constructs an error that carries the item.
   *
   * @param message What could not be done, and why.
   * @param options The item, the reason, and what was thrown, if anything was.
   */
  constructor(message: string, options: ErrorOptions & { item: T; reason: WorkFailure }) {
    super(message, options);
    this.name = "WorkError";
    this.reason = options.reason;
    this.#item = options.item;
  }

  /** The item. A log of the error does not show it, as it may contain a secret. */
  get item(): T {
    return this.#item;
  }
}

/**
 * No worker can be started, so nothing can be computed: the module cannot be loaded, has no such
 * export, or its `setup()` failed. `cause` is what was thrown.
 *
 * @example Find out before any item is read
 * ```ts
 * import { WorkerStartError, WorkPool } from "@burst/batcher/pool";
 * import { assert } from "@std/assert";
 *
 * await using pool = new WorkPool("data:text/javascript,export const price = 1;");
 * const error = await pool.start().catch((error) => error);
 * assert(error instanceof WorkerStartError);
 * ```
 */
export class WorkerStartError extends Error {
  /**
   * Constructs an error.
   *
   * @param message What could not be done, and why.
   * @param options The cause.
   */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WorkerStartError";
  }
}

/**
 * An item was not computed, because the pool was closed first.
 *
 * @example Close at once
 * ```ts
 * import { PoolClosedError, WorkPool } from "@burst/batcher/pool";
 * import { assert } from "@std/assert";
 *
 * const pool = new WorkPool("data:text/javascript,export default (n) => 2 * n;");
 * const answer = pool.run(1).catch((error) => error);
 * await pool[Symbol.asyncDispose]();
 * assert(await answer instanceof PoolClosedError);
 * ```
 */
export class PoolClosedError extends Error {
  /**
   * Constructs an error.
   *
   * @param message What could not be done, and why.
   */
  constructor(message: string) {
    super(message);
    this.name = "PoolClosedError";
  }
}
