import type { HashTask } from "./hash_task.ts";
import { HashItemError, HashPoolClosedError, HashWorkerError } from "./errors.ts";
import type { HashMapOptions } from "./options.ts";

/** An item, and the hash of its password. */
export interface Hashed<T> {
  /** The item. */
  readonly item: T;
  /** The hash of its password. */
  readonly hash: string;
}

/** What it takes to hash the passwords of a stream of items. */
export interface HashMapping<T> extends HashMapOptions<T> {
  readonly items: Iterable<T> | AsyncIterable<T>;
  readonly lookAhead: number;
  /** Has the password of an item hashed; throws if it cannot be. */
  readonly submit: (
    item: T,
    ending: { resolve: (hash: string) => void; reject: (error: unknown) => void },
  ) => HashTask;
  readonly withdraw: (task: HashTask, reason: unknown) => void;
}

type Result<T> = { readonly item: T } & ({ readonly hash: string } | { readonly error: unknown });

/** Yields the items with the hashes of their passwords. */
export async function* hashEach<T>(mapping: HashMapping<T>): AsyncGenerator<Hashed<T>> {
  mapping.signal?.throwIfAborted();
  const ahead = new LookAhead(mapping);
  try {
    for (let result = await ahead.next(); result !== undefined; result = await ahead.next()) {
      if ("hash" in result) yield result;
      else if (endsAll(result.error)) throw result.error;
      else if (mapping.onError === undefined) {
        throw new HashItemError(result.item, { cause: result.error });
      } else await mapping.onError(result.error, result.item);
    }
  } finally {
    await ahead.end();
  }
}

/** Whether the pool is at an end, rather than one password bad or one worker dead. */
function endsAll(error: unknown): boolean {
  return error instanceof HashPoolClosedError ||
    error instanceof HashWorkerError && !error.started;
}

/**
 * Takes items from their source ahead of the consumer, so that the workers have what to do while the
 * consumer is busy, but never more than `lookAhead` of them.
 */
class LookAhead<T> {
  readonly #mapping: HashMapping<T>;
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  /** The results that are there, by their place: in the order of reading, or of being done. */
  readonly #results = new Map<number, Result<T>>();
  readonly #tasks = new Set<HashTask>();
  #read = 0;
  #done = 0;
  #taken = 0;
  #reading = false;
  /** Set once the source has no more: it came to its end, or failed. */
  #sourceEnd: { readonly error?: unknown } | undefined;
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(mapping: HashMapping<T>) {
    this.#mapping = mapping;
    const { items, signal } = mapping;
    const { [Symbol.asyncIterator]: async } = items as AsyncIterable<T>;
    this.#iterator = async?.call(items) ?? (items as Iterable<T>)[Symbol.iterator]();
    signal?.addEventListener("abort", this.#onAbort);
    this.#readAhead();
  }

  /** The next result, or nothing at the end. What failed in the source comes after all results. */
  async next(): Promise<Result<T> | undefined> {
    for (;;) {
      this.#mapping.signal?.throwIfAborted();
      const result = this.#results.get(this.#taken);
      if (result !== undefined) {
        this.#results.delete(this.#taken++);
        this.#readAhead();
        return result;
      }
      if (this.#sourceEnd !== undefined && this.#taken === this.#read) {
        if ("error" in this.#sourceEnd) throw this.#sourceEnd.error;
        return undefined;
      }
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
  }

  /** Withdraws what is not done, and closes the source. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#mapping.signal?.removeEventListener("abort", this.#onAbort);
    for (const task of this.#tasks) this.#mapping.withdraw(task, undefined);
    if (this.#sourceEnd !== undefined) return;
    const closed = this.#iterator.return?.();
    // A generator in the middle of a read closes after it, and nobody knows how long that takes.
    if (this.#reading) Promise.resolve(closed).catch(() => {});
    else await closed;
  }

  async #readAhead(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (
        !this.#ended && this.#sourceEnd === undefined &&
        this.#read - this.#taken < this.#mapping.lookAhead
      ) {
        const { done, value } = await this.#iterator.next();
        if (this.#ended) break;
        if (done) this.#endSource({});
        else this.#submit(value);
      }
    } catch (error) {
      this.#endSource({ error });
    }
    this.#reading = false;
  }

  #endSource(end: { readonly error?: unknown }): void {
    this.#sourceEnd = end;
    this.#wake.resolve();
  }

  #submit(item: T): void {
    const place = this.#read++;
    const settle = (result: Result<T>) => {
      this.#results.set(this.#mapping.ordered ? place : this.#done++, result);
      this.#wake.resolve();
    };
    try {
      const task = this.#mapping.submit(item, {
        resolve: (hash) => {
          this.#tasks.delete(task);
          settle({ item, hash });
        },
        reject: (error) => {
          this.#tasks.delete(task);
          settle({ item, error });
        },
      });
      this.#tasks.add(task);
    } catch (error) {
      settle({ item, error });
    }
  }

  #onAbort = () => this.#wake.resolve();
}
