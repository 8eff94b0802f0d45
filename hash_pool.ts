/**
 * Hash and verify passwords on every core: {@linkcode HashPool} does it in worker threads with bcrypt,
 * scrypt or Argon2id, so that a service goes on answering meanwhile. It runs in Deno, Node 22 or
 * later, and Bun.
 *
 * @example A sign-up and a sign-in
 * ```ts
 * import { HashPool } from "@burst/batcher/hash-pool";
 * import { assert } from "@std/assert";
 *
 * await using pool = new HashPool({ cost: 4 }); // 12 is the default
 * const hash = await pool.hash("correct horse");
 * assert(await pool.verify("correct horse", hash));
 * assert(!await pool.verify("battery staple", hash));
 * ```
 *
 * @module
 */
import { resolveAlgorithm, unpadded } from "./_internal/password/algorithms.ts";
import {
  type HashEngine,
  PASSWORD_WORK,
  type PasswordResult,
  type PasswordTask,
} from "./_internal/password/password_work.ts";
import {
  assertFunction,
  assertPositiveInteger,
  assertSignal,
  describe,
} from "./_internal/shared/validate.ts";
import {
  type Computed,
  type MapOptions,
  type RunOptions,
  WorkError,
  WorkPool,
  type WorkPoolOptions,
} from "./pool.ts";
import type { HashOptions } from "./workload.ts";

export type { HashEngine };

const ENGINES: readonly HashEngine[] = ["auto", "lanes", "bcryptjs"];

/**
 * Items that `map()` reads ahead for each worker: 30 to 80 ms of hashes at cost 4, 7 to 20 s at cost
 * 12. With a consumer that blocks the thread for 10 ms after every 100 results of cost 4, half as many
 * took 15 % longer, and twice as many took 2 % less.
 */
const LOOK_AHEAD = 64;

/** Options of {@linkcode HashPool}: what passwords are hashed with, and by how many workers. */
export interface HashPoolOptions
  extends HashOptions, Pick<WorkPoolOptions, "workers" | "createWorker" | "onComputed"> {
  /**
   * The implementation of bcrypt. `"lanes"` is WebAssembly that hashes several passwords at once in
   * each worker; `"bcryptjs"` hashes one after the other. `"auto"` is lanes, or, if there is no
   * WebAssembly or its self-test fails, bcryptjs, with a warning on the console. `"lanes"` fails
   * there.
   *
   * @default {"auto"}
   */
  engine?: HashEngine;
}

/**
 * Options of {@linkcode HashPool.map}.
 *
 * @typeParam T The type of the items.
 */
export interface HashMapOptions<T> extends Pick<MapOptions<T>, "ordered" | "signal"> {
  /**
   * Most items that have been read and whose results have not been taken.
   *
   * @default {64 * workers}
   */
  lookAhead?: number;
  /**
   * Called and awaited for an item whose password cannot be hashed. An error that it throws ends the
   * iteration; without `onError`, the first such item does.
   */
  onError?: (error: unknown, item: T) => unknown;
}

/**
 * An item and the hash of its password.
 *
 * @typeParam T The type of the items.
 */
export interface Hashed<T> {
  /** The item. */
  readonly item: T;
  /** The hash of its password. */
  readonly hash: string;
}

/**
 * Hashes and verifies passwords on every core, in worker threads, and leaves the thread of the event
 * loop free.
 *
 * Passwords are served first come, first served, so a service and a long `map()` should have a pool
 * each. Workers start when there is work for them, and stay; an idle pool does not keep the process
 * alive. The module needs no permission, unless it is on the local disk: then its workers need
 * `--allow-read` for it. It is a {@linkcode WorkPool}, with the errors of one.
 *
 * @example Hash and verify
 * ```ts
 * import { HashPool } from "@burst/batcher/hash-pool";
 * import { assert } from "@std/assert";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const hash = await pool.hash("correct horse");
 * assert(await pool.verify("correct horse", hash));
 * ```
 *
 * @example Hash many passwords
 * ```ts
 * import { HashPool } from "@burst/batcher/hash-pool";
 * import { assertEquals } from "@std/assert";
 *
 * await using pool = new HashPool({ cost: 4 });
 * const users = [
 *   { id: 1, password: "correct horse" },
 *   { id: 2, password: "x".repeat(73) },
 * ];
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
  readonly #check: (password: string) => void;
  readonly #pool: WorkPool<typeof import("./_internal/password/password_work.ts")>;
  #warned = false;

  /**
   * Constructs a pool. No worker is started yet.
   *
   * @param options The options.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If another option is of the wrong kind.
   */
  constructor(options: HashPoolOptions = {}) {
    const { workers, createWorker, onComputed, engine = "auto", ...settings } = options;
    const { algorithm } = resolveAlgorithm("create a hash pool", settings);
    if (!ENGINES.includes(engine)) {
      throw new TypeError(
        `Cannot create a hash pool as 'engine' must be "auto", "lanes" or "bcryptjs": current value is ${
          describe(engine)
        }`,
      );
    }
    this.#check = algorithm.check;
    this.#pool = new WorkPool(PASSWORD_WORK, {
      workers,
      data: { settings, engine },
      createWorker,
      onComputed: onComputed && ((computed) => onComputed(this.#unwrapped(computed))),
    });
    this.workers = this.#pool.workers;
  }

  /** Passwords that wait for a worker. */
  get size(): number {
    return this.#pool.size;
  }

  /** Passwords that the workers hold. Each worker computes one or a few of them at a time. */
  get inFlight(): number {
    return this.#pool.inFlight;
  }

  /**
   * Hashes a password. bcrypt reads 72 bytes and stops at a NUL, so a longer password, or one with a
   * NUL, is refused.
   *
   * @param password The password.
   * @param options The signal rejects with its reason at once, and cancels the work.
   * @returns The hash, with salt and parameters.
   * @throws {TypeError} If the password is not a string, or contains a NUL or half of a surrogate
   *   pair.
   * @throws {RangeError} If it is longer than 72 bytes.
   * @throws {WorkError} If the worker dies. The error does not carry the password.
   * @throws {WorkerStartError} If no worker can be started.
   * @throws {PoolClosedError} If the pool is closed, or disposed of before the work is done.
   */
  hash(password: string, options?: { signal?: AbortSignal }): Promise<string> {
    return this.#run(() => {
      this.#check(password);
      return { password, hash: undefined };
    }, options);
  }

  /**
   * Tells whether a password matches a hash, of any algorithm and any cost.
   *
   * @param password The password.
   * @param hash The hash.
   * @param options The signal rejects with its reason at once, and cancels the work.
   * @returns Whether they match. A password that could not have been hashed never does.
   * @throws {TypeError} If one of them is not a string, or the hash is of no known kind.
   * @throws {WorkError} If the worker dies. The error does not carry the password.
   * @throws {WorkerStartError} If no worker can be started.
   * @throws {PoolClosedError} If the pool is closed, or disposed of before the work is done.
   */
  verify(password: string, hash: string, options?: { signal?: AbortSignal }): Promise<boolean> {
    return this.#run(() => {
      for (const [name, value] of [["password", password], ["hash", hash]]) {
        if (typeof value === "string") continue;
        throw new TypeError(
          `Cannot verify a password as '${name}' must be a string: current value is ${
            describe(value)
          }`,
        );
      }
      return { password, hash: unpadded(hash) };
    }, options);
  }

  /**
   * Hashes the passwords of many items, and reads only a limited number of them ahead: a slow consumer
   * slows the reading of the source down.
   *
   * An item whose password cannot be hashed ends the iteration with an error that carries it. With
   * `onError`, the others go on. If the source fails, the items before that are yielded first. Leaving
   * the loop closes the source and cancels the work that is not done.
   *
   * @example Keep the order
   * ```ts
   * import { HashPool } from "@burst/batcher/hash-pool";
   * import { assertEquals } from "@std/assert";
   *
   * await using pool = new HashPool({ cost: 4 });
   * const words = ["one", "two", "three"];
   * const hashes = pool.map(words, (word) => word, { ordered: true });
   * const hashed = await Array.fromAsync(hashes);
   * assertEquals(hashed.map(({ item }) => item), words);
   * ```
   *
   * @typeParam T The type of the items.
   * @param items The items.
   * @param password Returns the password of an item.
   * @param options The options.
   * @returns The items and their hashes, as they are done or in order.
   * @throws {RangeError} If `lookAhead` is not a positive integer.
   * @throws {TypeError} If `password` or `onError` is not a function.
   * @throws {WorkError} If a password cannot be hashed and there is no `onError`.
   * @throws {WorkerStartError} If no worker can be started.
   * @throws {PoolClosedError} If the pool is closed before the end.
   */
  map<T>(
    items: Iterable<T> | AsyncIterable<T>,
    password: (item: T) => string,
    options: HashMapOptions<T> = {},
  ): AsyncGenerator<Hashed<T>, void, undefined> {
    const { lookAhead = LOOK_AHEAD * this.workers, onError, ordered, signal } = options;
    assertPositiveInteger("hash passwords", "lookAhead", lookAhead);
    assertFunction("hash passwords", "password", password);
    if (onError !== undefined) assertFunction("hash passwords", "onError", onError);
    return this.#map(items, {
      lookAhead,
      ordered,
      signal,
      onError: onError && ((error, item) => onError(ofPassword(error), item)),
      task: (item) => {
        const text = password(item);
        this.#check(text);
        return { password: text, hash: undefined };
      },
    });
  }

  /**
   * Accepts no more passwords, and ends the workers once their passwords are done. A `map()` in progress
   * fails at its next item.
   */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  /**
   * Ends the workers at once, at the end of an `await using` block. Unfinished work is rejected with a
   * {@linkcode PoolClosedError}.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }

  #run<R extends string | boolean>(task: () => PasswordTask, options?: RunOptions): Promise<R> {
    return new Promise((resolve, reject) => {
      assertSignal("use a pool", options?.signal)?.throwIfAborted();
      this.#pool.run(task(), options).then(
        (result) => resolve(this.#unwrap(result) as R),
        (error) => reject(ofPassword(error)),
      );
    });
  }

  async *#map<T>(
    items: Iterable<T> | AsyncIterable<T>,
    options: MapOptions<T, PasswordTask>,
  ): AsyncGenerator<Hashed<T>, void, undefined> {
    for await (const { item, result } of this.#pool.map(items, options)) {
      yield { item, hash: this.#unwrap(result) as string };
    }
  }

  #unwrapped(computed: Computed): Computed {
    return { ...computed, result: this.#unwrap(computed.result as PasswordResult) };
  }

  #unwrap(result: PasswordResult): string | boolean {
    if (typeof result !== "object") return result;
    if (!this.#warned) {
      this.#warned = true;
      console.warn(
        `Hashing with bcryptjs, which takes more than twice as long as the engine "lanes", as ${result.noLanes}`,
      );
    }
    return result.result;
  }
}

/** What the workload threw is the error; of any other, only the item is kept back: it is the password. */
function ofPassword(error: unknown): unknown {
  if (!(error instanceof WorkError)) return error;
  const { message, reason, cause } = error;
  if (reason === "threw" || reason === "task") return cause;
  return new WorkError(message, { item: undefined, reason, cause });
}
