/**
 * {@linkcode AsyncBatcher}: queue → bursts. No dependency, web standards only.
 *
 * @module
 */
import { Clock } from "./_internal/batcher/clock.ts";
import type { Account, Send } from "./_internal/shared/contract.ts";
import { Delivery, type DeliverySettings } from "./_internal/batcher/delivery.ts";
import { Dispatcher } from "./_internal/batcher/dispatcher.ts";
import { LONG_TURN, nextTurn } from "./_internal/shared/event_loop.ts";
import { guardHook } from "./_internal/batcher/hook.ts";
import { Ledger } from "./_internal/batcher/ledger.ts";
import {
  type AsyncBatcherOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./_internal/batcher/options.ts";
import { FlushError, UnsentError } from "./_internal/shared/outcome.ts";
import { Entry, Queue } from "./_internal/shared/queue.ts";
import { resolveSink, type Sink } from "./_internal/batcher/sink.ts";
import { Waiters } from "./_internal/batcher/waiters.ts";
import { AbortRegistry } from "./_internal/shared/abort_registry.ts";

export type { Account, AsyncBatcherOptions, Send, Sink };
export type { Batch, BatchReport } from "./_internal/shared/contract.ts";
export type { Failure, Outcome, OutcomeErrorOptions } from "./_internal/shared/outcome.ts";
export { OutcomeError, UnknownOutcomeError } from "./_internal/shared/outcome.ts";
export type { RetryOptions } from "./_internal/batcher/retry.ts";
export { FlushError, UnsentError };

const DONE = Promise.resolve();

/**
 * Collects items and sends them in batches, several at a time, while the program goes on.
 *
 * A batch is *due* when it holds `maxItems` or `maxBytes`, when `linger` has passed since its
 * first item, or when `flush()` or `close()` asks. It *leaves* when fewer than `maxInFlight` batches
 * are out. Every item ends as exactly one of saved, failed, unknown and unsent.
 *
 * @example Every caller gets its own result
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const batcher = new AsyncBatcher<string, number>(async (words) =>
 *   words.map((word) => word.length)
 * );
 * const lengths = await Promise.all(["one", "three"].map((word) => batcher.add(word)));
 * assertEquals(lengths, [3, 5]);
 * assertEquals((await batcher.close()).saved, 2);
 * ```
 *
 * @example A producer that is slowed down by the sink, and an account at the end
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const rows: number[] = [];
 * const batcher = new AsyncBatcher<number>(async (items) => void rows.push(...items));
 * for (let i = 0; i < 10_000; i++) await batcher.push(i);
 * const { added, saved, failed, unknown, unsent, failures = [] } = await batcher.close();
 * assertEquals([added, saved, failed, unknown, unsent], [10_000, 10_000, 0, 0, 0]);
 * for (const { item, error } of failures) console.error(item, error);
 * ```
 *
 * @typeParam T The type of the items.
 * @typeParam R The type of the results.
 */
export class AsyncBatcher<T, R = void> implements AsyncDisposable {
  readonly #options: ResolvedOptions<T>;
  readonly #settings: DeliverySettings<T, R>;
  readonly #clock = new Clock();
  readonly #queue: Queue<T, R>;
  readonly #dispatcher: Dispatcher<T, R>;
  readonly #abortRegistry = new AbortRegistry<T, R>((entry, reason) =>
    this.#withdraw(entry, reason)
  );
  /** The batches that are out, oldest first, each with the number of its first item. */
  readonly #inFlight = new Map<Delivery<T, R>, number>();
  readonly #ledger = new Ledger<T, R>();
  readonly #waiters = new Waiters();
  #turn: Promise<void> | undefined;
  #ready: PromiseWithResolvers<void> | undefined;
  #closing: PromiseWithResolvers<Account<T>> | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #writable: WritableStream<T> | undefined;

  /**
   * Constructs a batcher.
   *
   * @param sink Where batches go, or just the function that sends one.
   * @param options The options. They go before those that the sink has as its defaults.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If `sink` or another function is none, or `maxBytes` lacks `sizeOf`.
   */
  constructor(sink: Sink<T, R> | Send<T, R>, options: AsyncBatcherOptions<T> = {}) {
    const resolved = resolveSink(sink, options);
    const { send } = resolved;
    this.#options = resolveOptions(resolved.options);
    const { maxQueued, signal, onBatch } = this.#options;
    this.#settings = { ...this.#options, send, report: guardHook("onBatch", onBatch) };
    this.#queue = new Queue(maxQueued);
    this.#dispatcher = new Dispatcher(
      this.#queue,
      this.#options,
      this.#clock,
      (entries, waited) => this.#deliver(entries, waited),
    );
    if (signal?.aborted) this.abort(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** Items in the queue, those included that wait for room. */
  get size(): number {
    return this.#queue.size;
  }

  /** Batches that are out. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Room left in the queue, in items, as in Web Streams: not above 0 when producers should wait. */
  get desiredSize(): number {
    return this.#closing === undefined ? this.#options.maxQueued - this.#queue.size : 0;
  }

  /** Resolves once there is room in the queue, or no use in waiting for it. */
  get ready(): Promise<void> {
    if (this.desiredSize > 0 || this.#closing !== undefined) return DONE;
    return (this.#ready ??= Promise.withResolvers()).promise;
  }

  /** The batcher as the sink of a stream: it pushes, and closing the stream closes the batcher. */
  get writable(): WritableStream<T> {
    return this.#writable ??= new WritableStream<T>({
      write: (item) => this.push(item),
      close: () => this[Symbol.asyncDispose](),
      abort: async (reason) => void await this.abort(reason),
    });
  }

  /**
   * Adds an item, and settles with its own result after it was sent.
   *
   * @param item The item.
   * @param options The signal withdraws the item while it is queued; after that it has no effect.
   * @returns The item's result.
   * @throws {UnsentError} If the batcher is closed, or aborted before the item was sent.
   * @throws {OutcomeError} With the outcome `"unknown"`, if the item was sent and no answer came.
   * @throws {RangeError} If the item alone is larger than `maxBytes`.
   */
  add(item: T, options?: { signal?: AbortSignal }): Promise<R> {
    return new Promise((resolve, reject) => {
      const signal = options?.signal;
      signal?.throwIfAborted();
      const entry = this.#accept(item, resolve, reject);
      if (signal !== undefined && entry.queued) this.#abortRegistry.watch(entry, signal);
    });
  }

  /**
   * Adds an item, and resolves once there is room for it. If it is not saved, that comes out of
   * `flush()` or `close()`. Now and then it gives the event loop a turn, so that a loop which
   * computes and pushes does not keep timers and sockets waiting.
   *
   * @param item The item.
   * @throws {UnsentError} If the batcher is closed, or aborted before there was room.
   * @throws {RangeError} If the item alone is larger than `maxBytes`.
   */
  push(item: T): Promise<void> {
    let entry: Entry<T, R>;
    try {
      entry = this.#accept(item, undefined, undefined);
    } catch (error) {
      return Promise.reject(error);
    }
    if (entry.waiting) return (entry.room = Promise.withResolvers()).promise;
    return entry.at - this.#dispatcher.turnAt < LONG_TURN ? DONE : this.#giveTurn();
  }

  /**
   * Sends what is queued without waiting for company, and resolves when everything added so far is
   * settled.
   *
   * @throws {FlushError} If pushed items were not saved; each is reported once.
   */
  async flush(): Promise<void> {
    this.#dispatcher.hurry();
    await this.#settled(this.#queue.lastNumber);
    const failures = this.#ledger.takeFailures();
    if (failures.length > 0) throw new FlushError(failures);
  }

  /**
   * Takes no more items, sends what is queued, and resolves when everything is settled.
   *
   * @returns The exact account, with the pushed items that failed and no `flush()` has reported.
   */
  close(): Promise<Account<T>> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      this.#closing.resolve(this.#drain());
    }
    return this.#closing.promise;
  }

  /**
   * Takes no more items and sends none. What is queued is unsent; what is in flight has its signal
   * aborted, and its outcome is unknown.
   *
   * @param reason The reason, for the signals and as the `cause` of the errors.
   * @returns The exact account.
   */
  abort(
    reason: unknown = new DOMException("The batcher was aborted", "AbortError"),
  ): Promise<Account<T>> {
    this.#aborted ??= { reason };
    const closing = this.close();
    for (const entry of this.#queue.clear()) {
      const { item, waiting, room } = entry;
      const error = new UnsentError(item, "Cannot send an item as the batcher was aborted", {
        cause: reason,
      });
      if (waiting) room?.reject(error);
      this.#abortRegistry.forget(entry);
      this.#ledger.reject(entry, "unsent", error, { seen: waiting });
    }
    this.#dispatcher.callOff();
    for (const delivery of [...this.#inFlight.keys()]) delivery.abort(reason);
    this.#wakeWaiters();
    return closing;
  }

  /**
   * Closes the batcher, at the end of an `await using` block.
   *
   * @throws {FlushError} If pushed items were not saved and nobody has seen it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const seen = this.#closing !== undefined;
    const { failures } = await this.close();
    if (failures !== undefined && !seen) throw new FlushError(failures);
  }

  #accept(item: T, resolve?: (result: R) => void, reject?: (error: unknown) => void): Entry<T, R> {
    if (this.#closing !== undefined) {
      const [state, options] = this.#aborted === undefined
        ? ["closed"]
        : ["aborted", { cause: this.#aborted.reason }] as const;
      throw new UnsentError(item, `Cannot add an item as the batcher is ${state}`, options);
    }
    // The first item of a batch anchors its delay, so that one gets the exact time.
    const now = this.#queue.head === undefined ? this.#clock.read() : this.#clock.readSparsely();
    const { sizeOf, orderingKey } = this.#options;
    const entry = new Entry(item, sizeOf(item), now, resolve, reject);
    if (orderingKey !== undefined) entry.key = orderingKey(item);
    this.#queue.append(entry);
    this.#ledger.added++;
    this.#dispatcher.dispatch(now);
    return entry;
  }

  #deliver(entries: Entry<T, R>[], waited: number): void {
    this.#abortRegistry.forgetAll(entries);
    const delivery = new Delivery<T, R>(this.#settings, entries, waited);
    this.#inFlight.set(delivery, entries[0].number);
    this.#announceRoom();
    delivery.run().then((result) => {
      this.#inFlight.delete(delivery);
      this.#ledger.settle(entries, result);
      this.#dispatcher.ended(entries);
      this.#wakeWaiters();
    });
  }

  #withdraw(entry: Entry<T, R>, reason: unknown): void {
    this.#queue.remove(entry);
    this.#abortRegistry.forget(entry);
    this.#ledger.reject(entry, "unsent", reason);
    if (this.#queue.head === undefined) this.#dispatcher.callOff();
    this.#announceRoom();
    this.#wakeWaiters();
  }

  #announceRoom(): void {
    if (this.#ready === undefined || this.desiredSize <= 0) return;
    this.#ready.resolve();
    this.#ready = undefined;
  }

  #giveTurn(): Promise<void> {
    return this.#turn ??= nextTurn().then(() => {
      this.#turn = undefined;
      this.#dispatcher.turnAt = this.#clock.read();
    });
  }

  /** Resolves when every item up to this number is settled. */
  #settled(upTo: number): Promise<void> {
    const settled = this.#waiters.wait(upTo);
    this.#wakeWaiters();
    return settled;
  }

  #wakeWaiters(): void {
    this.#waiters.wake(() =>
      Math.min(this.#queue.head?.number ?? Infinity, ...this.#inFlight.values())
    );
  }

  async #drain(): Promise<Account<T>> {
    this.#ready?.resolve();
    if (this.#aborted === undefined) this.#dispatcher.hurry();
    await this.#settled(this.#queue.lastNumber);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    return this.#ledger.takeAccount();
  }

  #onAbort = () => void this.abort(this.#options.signal?.reason);
}
