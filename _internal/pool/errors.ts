/**
 * A password that was neither hashed nor verified, as the worker that had it has died, or none could
 * be started.
 *
 * @example Trying again
 * ```ts
 * import { HashPool, HashWorkerError } from "@burst/batcher/hash-pool";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const hash = await pool.hash("correct horse").catch((error) => {
 *   if (error instanceof HashWorkerError && error.started) return pool.hash("correct horse");
 *   throw error;
 * });
 * console.log(hash);
 * ```
 */
export class HashWorkerError extends Error {
  /**
   * Whether the worker had started. If so, only the password that it was working on is lost, and the
   * pool goes on with another worker. If not, no worker can be started.
   */
  readonly started: boolean;

  /**
   * Constructs an error.
   *
   * @param message What could not be done, and why.
   * @param options The cause, where there is one, and whether the worker had started.
   */
  constructor(message: string, options: ErrorOptions & { started: boolean }) {
    super(message, options);
    this.name = "HashWorkerError";
    this.started = options.started;
  }
}

/**
 * A password that was neither hashed nor verified, as the pool was closed before.
 *
 * @example Closing at once
 * ```ts
 * import { HashPool, HashPoolClosedError } from "@burst/batcher/hash-pool";
 *
 * const pool = new HashPool({ cost: 14 });
 * const answer = pool.hash("correct horse").catch((error) => {
 *   if (error instanceof HashPoolClosedError) return "Please try again later";
 *   throw error;
 * });
 * await pool[Symbol.asyncDispose]();
 * console.log(await answer);
 * ```
 */
export class HashPoolClosedError extends Error {
  /**
   * Constructs an error.
   *
   * @param message What could not be done, and why.
   */
  constructor(message: string) {
    super(message);
    this.name = "HashPoolClosedError";
  }
}

/**
 * An item whose password could not be hashed, which ended a `map()`.
 *
 * @example Which item it was
 * ```ts
 * import { HashItemError, HashPool } from "@burst/batcher/hash-pool";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const users = [{ id: 1, password: "correct horse" }, { id: 2, password: "x".repeat(73) }];
 * try {
 *   for await (const { item, hash } of pool.map(users, (user) => user.password)) {
 *     console.log(item.id, hash);
 *   }
 * } catch (error) {
 *   if (!(error instanceof HashItemError)) throw error;
 *   console.error(error.item.id, error.cause);
 * }
 * ```
 *
 * @typeParam T The type of the item.
 */
export class HashItemError<T = unknown> extends Error {
  readonly #item: T;

  /**
   * Constructs an error that carries the item.
   *
   * @param item The item.
   * @param options The cause: why its password could not be hashed.
   */
  constructor(item: T, options: { cause: unknown }) {
    super("Cannot hash the password of an item", options);
    this.name = "HashItemError";
    this.#item = item;
  }

  /** The item. A log of the error does not show it, as there may be a password in it. */
  get item(): T {
    return this.#item;
  }
}
