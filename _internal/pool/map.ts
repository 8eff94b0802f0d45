import { PoolClosedError, WorkError, WorkerStartError } from "./errors.ts";
import { assertSignal } from "../shared/validate.ts";
import type { MapOptions } from "./options.ts";
import { Task } from "./task.ts";
import { packThrown, tellThrown } from "./thrown.ts";

/** An item and its result. */
export interface Result<T, R> {
  /** The item. */
  readonly item: T;
  /** Its result. */
  readonly result: R;
}

/** What computing a stream of items needs. */
export interface Mapping<T, R> extends Omit<MapOptions<T, unknown>, "lookAhead"> {
  readonly items: Iterable<T> | AsyncIterable<T>;
  /** Most items to read ahead, as of now. */
  readonly lookAhead: () => number;
  /** Resolves once a worker is ready. */
  readonly start: () => Promise<void>;
  readonly submit: (task: Task) => void;
  readonly withdraw: (task: Task, reason: unknown) => void;
}

type Outcome<T, R> = Result<T, R> | { readonly item: T; readonly error: unknown };

/** Yields the items with their results. */
export async function* mapItems<T, R>(mapping: Mapping<T, R>): AsyncGenerator<Result<T, R>, void> {
  const { signal, onError } = mapping;
  assertSignal("use a pool", signal)?.throwIfAborted();
  await startOrAbort(mapping.start(), signal);
  const ahead = new LookAhead<T, R>(mapping);
  try {
    for (let next = await ahead.next(); next !== undefined; next = await ahead.next()) {
      if ("result" in next) yield next;
      else if (onError === undefined || endsAll(next.error)) throw next.error;
      else await onError(next.error as WorkError<T>, next.item);
    }
  } finally {
    await ahead.end();
  }
}

async function startOrAbort(start: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await start;
  const { promise, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    await Promise.race([start, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether the pool is over, rather than one item without a result. */
function endsAll(error: unknown): boolean {
  return error instanceof PoolClosedError || error instanceof WorkerStartError;
}

/**
 * Reads items ahead of the consumer, so that the workers have something to do while the consumer is
 * busy, but never more than `lookAhead` of them.
 */
class LookAhead<T, R> {
  readonly #mapping: Mapping<T, R>;
  readonly #iterator: Iterator<T> | AsyncIterator<T>;
  /** The available results, by their place: in the order of reading, or as they are done. */
  readonly #results = new Map<number, Outcome<T, R>>();
  readonly #tasks = new Set<Task>();
  #read = 0;
  #done = 0;
  #taken = 0;
  #reading = false;
  /** Set once the source has ended or failed. */
  #sourceEnd: { readonly error?: unknown } | undefined;
  #ended = false;
  #wake = Promise.withResolvers<void>();

  constructor(mapping: Mapping<T, R>) {
    this.#mapping = mapping;
    const { items, signal } = mapping;
    const { [Symbol.asyncIterator]: async } = items as AsyncIterable<T>;
    this.#iterator = async?.call(items) ?? (items as Iterable<T>)[Symbol.iterator]();
    signal?.addEventListener("abort", this.#onAbort);
    this.#readAhead();
  }

  /** The next result, or nothing at the end. An error of the source comes after all results. */
  async next(): Promise<Outcome<T, R> | undefined> {
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

  /** Cancels what is not done, and closes the source. */
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
        this.#read - this.#taken < this.#mapping.lookAhead()
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
    const settle = (outcome: Outcome<T, R>) => {
      this.#results.set(this.#mapping.ordered ? place : this.#done++, outcome);
      this.#wake.resolve();
    };
    const { task: taskOf, transfer } = this.#mapping;
    try {
      const value = taskOf === undefined ? item : taskOf(item);
      const task = new Task(item, value, {
        resolve: (result) => {
          this.#tasks.delete(task);
          settle({ item, result: result as R });
        },
        reject: (error) => {
          this.#tasks.delete(task);
          settle({ item, error });
        },
      }, transfer?.(value));
      this.#mapping.submit(task);
      this.#tasks.add(task);
    } catch (cause) {
      settle({ item, error: endsAll(cause) ? cause : taskError(item, cause) });
    }
  }

  #onAbort = () => this.#wake.resolve();
}

function taskError(item: unknown, cause: unknown): WorkError {
  const why = `its task cannot be made, which threw ${tellThrown(packThrown(cause))}`;
  return new WorkError(`Cannot compute an item as ${why}`, { item, reason: "task", cause });
}
