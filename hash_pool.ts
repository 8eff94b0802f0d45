/**
 * {@linkcode HashPool}: passwords → hashes, on every core. The module is its own worker.
 *
 * @module
 */
import { serveIfWorker } from "./_internal/pool/hash_worker.ts";
import { type HashTask, roundsOf } from "./_internal/pool/hash_task.ts";
import { checkPassword } from "./_internal/password/password.ts";
import { type Ending, HashCrew } from "./_internal/pool/crew.ts";
import { HashItemError, HashPoolClosedError, HashWorkerError } from "./_internal/pool/errors.ts";
import { hashEach, type Hashed } from "./_internal/pool/map.ts";
import {
  type HashEngine,
  type HashMapOptions,
  type HashPoolOptions,
  resolvePoolOptions,
} from "./_internal/pool/options.ts";
import type { HashSettings } from "./_internal/pool/hash_protocol.ts";
import { assertFunction, assertPositiveInteger, describe } from "./_internal/shared/validate.ts";
import type { ScryptOptions } from "./workload.ts";

export { HashItemError, HashPoolClosedError, HashWorkerError };
export type { Hashed, HashEngine, HashMapOptions, HashPoolOptions, ScryptOptions };

/**
 * Items that `map()` reads ahead, for each worker: 30 to 80 ms of hashes at cost 4, 7 to 20 s at cost
 * 12. With a consumer that blocks the thread for 10 ms after every 100 results of cost 4, half as many
 * took 15 % longer, and twice as many 2 % less.
 */
const LOOK_AHEAD = 64;

/**
 * Hashes and verifies passwords on every core, in Web Workers, while the thread of the event loop is
 * free.
 *
 * Passwords are served first come, first served: a service and a long `map()` want a pool each.
 * Workers are started when there is work for them, and stay. In Deno and Bun an idle pool does not
 * keep the process alive; elsewhere it does, until it is closed. The module needs no permission,
 * unless it lies on the local disk: then its workers need `--allow-read` for it.
 *
 * @example Hashing and verifying
 * ```ts
 * import { HashPool } from "@burst/batcher/hash-pool";
 * import { assert } from "@std/assert";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const hash = await pool.hash("correct horse");
 * assert(await pool.verify("correct horse", hash));
 * ```
 *
 * @example Many passwords
 * ```ts
 * import { HashPool } from "@burst/batcher/hash-pool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const users = [{ id: 1, password: "correct horse" }, { id: 2, password: "x".repeat(73) }];
 * const hashed: number[] = [], refused: number[] = [];
 * for await (
 *   const { item, hash } of pool.map(users, (user) => user.password, {
 *     onError: (_error, user) => refused.push(user.id),
 *   })
 * ) {
 *   if (hash.startsWith("$2b$04$")) hashed.push(item.id);
 * }
 * assertEquals([hashed, refused], [[1], [2]]);
 * ```
 */
export class HashPool implements AsyncDisposable {
  /** Most workers at once. */
  readonly workers: number;
  readonly #settings: HashSettings;
  readonly #crew: HashCrew;

  /**
   * Constructs a pool. No worker is started yet.
   *
   * @param options The options.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If another option is of the wrong kind.
   */
  constructor(options: HashPoolOptions = {}) {
    const { workers, settings, engine, createWorker } = resolvePoolOptions(options);
    this.workers = workers;
    this.#settings = settings;
    this.#crew = new HashCrew(workers, { url: import.meta.url, createWorker, settings, engine });
  }

  /** Passwords that wait for a worker. */
  get size(): number {
    return this.#crew.queued;
  }

  /** Passwords in the hands of the workers, which are at one of them each. */
  get inFlight(): number {
    return this.#crew.inFlight;
  }

  /**
   * Hashes a password. bcrypt sees 72 bytes and stops at a NUL: a longer password, or one with a NUL,
   * is refused.
   *
   * @param password The password.
   * @param options The signal rejects with its reason, at once; work that is not done is left.
   * @returns The hash, with salt and parameters.
   * @throws {TypeError} If the password is no string, or has a NUL or half of a surrogate pair in it.
   * @throws {RangeError} If it is longer than 72 bytes.
   * @throws {HashPoolClosedError} If the pool is closed, or disposed of before it is done.
   * @throws {HashWorkerError} If the worker dies, or none can be started.
   */
  hash(password: string, options?: { signal?: AbortSignal }): Promise<string> {
    return new Promise((resolve, reject) => {
      options?.signal?.throwIfAborted();
      this.#submit(password, { resolve: resolve as Ending["resolve"], reject }, options?.signal);
    });
  }

  /**
   * Tells whether a hash, of either algorithm and any cost, is that of this password.
   *
   * @param password The password.
   * @param hash The hash.
   * @param options The signal rejects with its reason, at once; work that is not done is left.
   * @returns Whether they belong together. A password that could not have been hashed never does.
   * @throws {TypeError} If one of them is no string, or the hash is of neither kind.
   * @throws {HashPoolClosedError} If the pool is closed, or disposed of before it is done.
   * @throws {HashWorkerError} If the worker dies, or none can be started.
   */
  verify(password: string, hash: string, options?: { signal?: AbortSignal }): Promise<boolean> {
    return new Promise((resolve, reject) => {
      options?.signal?.throwIfAborted();
      for (const [name, value] of [["password", password], ["hash", hash]]) {
        if (typeof value === "string") continue;
        throw new TypeError(
          `Cannot verify a password as '${name}' must be a string: current value is ${
            describe(value)
          }`,
        );
      }
      const rounds = roundsOf(hash, this.#settings);
      const ending = { resolve: resolve as Ending["resolve"], reject };
      this.#assertOpen();
      this.#crew.add({ password, hash, rounds }, ending, options?.signal);
    });
  }

  /**
   * Hashes the passwords of many items, and reads only so many of them ahead: who is slow to take the
   * results slows down the reading of the source.
   *
   * An item whose password cannot be hashed ends the iteration with an error that carries it, unless
   * `onError` takes care of it: then the others go on. When the source fails, the items before come
   * first. Whoever leaves the loop has the source closed, and the work withdrawn that is not done.
   *
   * @example In order
   * ```ts
   * import { HashPool } from "@burst/batcher/hash-pool";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new HashPool({ cost: 4 });
   * const words = ["one", "two", "three"];
   * const hashed = await Array.fromAsync(pool.map(words, (word) => word, { ordered: true }));
   * assertEquals(hashed.map(({ item }) => item), words);
   * ```
   *
   * @typeParam T The type of the items.
   * @param items The items.
   * @param password Gives the password of an item.
   * @param options The options.
   * @returns The items and their hashes, as they are done or in order.
   * @throws {RangeError} If `lookAhead` is not a positive integer.
   * @throws {TypeError} If `password` or `onError` is no function.
   * @throws {HashItemError} If a password cannot be hashed and there is no `onError`.
   * @throws {HashPoolClosedError} If the pool is closed before the end.
   * @throws {HashWorkerError} If no worker can be started.
   */
  map<T>(
    items: Iterable<T> | AsyncIterable<T>,
    password: (item: T) => string,
    options: HashMapOptions<T> = {},
  ): AsyncGenerator<Hashed<T>, void, undefined> {
    const { lookAhead = LOOK_AHEAD * this.workers, onError } = options;
    assertPositiveInteger("hash passwords", "lookAhead", lookAhead);
    assertFunction("hash passwords", "password", password);
    if (onError !== undefined) assertFunction("hash passwords", "onError", onError);
    return hashEach({
      ...options,
      items,
      lookAhead,
      submit: (item, ending) => this.#submit(password(item), ending as Ending),
      withdraw: (task) => this.#crew.withdraw(task, undefined),
    });
  }

  /**
   * Takes no more passwords, and ends the workers once those that it has are done. A `map()` that
   * goes on is refused its next item.
   */
  close(): Promise<void> {
    return this.#crew.close();
  }

  /**
   * Ends the workers at once, at the end of an `await using` block. What is not done is rejected with
   * a {@linkcode HashPoolClosedError}.
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#crew.abort(
      new HashPoolClosedError("Cannot finish hashing as the pool was disposed of before"),
    );
    return this.#crew.close();
  }

  #submit(password: string, ending: Ending, signal?: AbortSignal): HashTask {
    const bcrypt = this.#settings.algorithm === "bcrypt";
    checkPassword(password, bcrypt ? {} : { maxBytes: Infinity, nul: true });
    this.#assertOpen();
    const rounds = roundsOf(undefined, this.#settings);
    return this.#crew.add({ password, hash: undefined, rounds }, ending, signal);
  }

  #assertOpen(): void {
    if (this.#crew.closed) {
      throw new HashPoolClosedError("Cannot hash or verify a password as the pool is closed");
    }
  }
}

serveIfWorker();
