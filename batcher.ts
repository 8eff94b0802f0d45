/**
 * Send many items in few calls: {@linkcode AsyncBatcher} collects what you add, and hands it in
 * batches to a function of yours, several at a time. It has no dependency and uses web standards only,
 * so it runs in Deno, Node 22 or later, Bun, browsers and edge workers.
 *
 * @example Three words, one call
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const calls: (readonly string[])[] = [];
 * const batcher = new AsyncBatcher<string>(async (words) => {
 *   calls.push(words); // or an INSERT, a POST, a message
 * });
 * for (const word of ["one", "two", "three"]) await batcher.push(word);
 * const { saved } = await batcher.close();
 * assertEquals([saved, calls], [3, [["one", "two", "three"]]]);
 * ```
 *
 * @module
 */
import { type Call, startCall } from "./_internal/batcher/call.ts";
import { Clock } from "./_internal/batcher/clock.ts";
import { Dispatcher } from "./_internal/batcher/dispatcher.ts";
import { Intake } from "./_internal/batcher/intake.ts";
import { KeyLines } from "./_internal/batcher/key_lines.ts";
import { Ledger } from "./_internal/batcher/ledger.ts";
import {
  type AsyncBatcherOptions,
  type ResolvedOptions,
  resolveOptions,
} from "./_internal/batcher/options.ts";
import type { PendingBatch } from "./_internal/batcher/pending_batch.ts";
import { Queue } from "./_internal/batcher/queue.ts";
import { Settlement } from "./_internal/batcher/settlement.ts";
import { resolveSink, type Sink } from "./_internal/batcher/sink.ts";
import { Timeouts } from "./_internal/batcher/timeouts.ts";
import type { Account, Send } from "./_internal/shared/contract.ts";
import { LONG_TURN, nextTurn } from "./_internal/shared/event_loop.ts";
import { FlushError, UnsentError } from "./_internal/shared/outcome.ts";
import { assertSignal } from "./_internal/shared/validate.ts";

export type { Account, AsyncBatcherOptions, Send, Sink };
export type { Batch, BatchReport } from "./_internal/shared/contract.ts";
export type { Failure, Outcome, OutcomeErrorOptions } from "./_internal/shared/outcome.ts";
export { OutcomeError, UnknownOutcomeError } from "./_internal/shared/outcome.ts";
export type { RateLimitOptions } from "./_internal/batcher/rate_limit.ts";
export type { RetryOptions } from "./_internal/batcher/retry.ts";
export { FlushError, UnsentError };

const DONE = Promise.resolve();

/**
 * Collects items and sends them in batches, several at a time, while the program goes on.
 *
 * A batch is *due* when it holds `maxItems` or `maxBytes`, when `linger` has passed since its
 * first item, or when `flush()` or `close()` asks for it. It *leaves* when fewer than `maxInFlight`
 * batches are in flight. Every item ends as exactly one of saved, failed, unknown and unsent.
 *
 * @example Every caller gets its own result
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const batcher = new AsyncBatcher<string, number>(async (words) =>
 *   words.map((word) => word.length)
 * );
 * const added = ["one", "three"].map((word) => batcher.add(word));
 * const lengths = await Promise.all(added);
 * assertEquals(lengths, [3, 5]);
 * assertEquals((await batcher.close()).saved, 2);
 * ```
 *
 * @example The sink slows the producer down, and the account is exact
 * ```ts
 * import { AsyncBatcher } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const rows: number[] = [];
 * const batcher = new AsyncBatcher<number>(async (items) => {
 *   rows.push(...items);
 * });
 * for (let i = 0; i < 10_000; i++) await batcher.push(i);
 * const account = await batcher.close();
 * const { added, saved, failed, unknown, unsent, failures = [] } = account;
 * assertEquals([added, saved], [10_000, 10_000]);
 * assertEquals([failed, unknown, unsent], [0, 0, 0]);
 * for (const { item, error } of failures) console.error(item, error);
 * ```
 *
 * @typeParam T The type of the items.
 * @typeParam R The type of the results.
 */
export class AsyncBatcher<T, R = void> implements AsyncDisposable {
  readonly #send: Send<T, R>;
  readonly #options: ResolvedOptions<T>;
  readonly #clock = new Clock();
  readonly #queue: Queue<T, R>;
  readonly #lines: KeyLines<T, R>;
  readonly #dispatcher: Dispatcher<T, R>;
  readonly #ledger: Ledger<T, R>;
  readonly #settlement: Settlement<T, R>;
  readonly #intake: Intake<T, R>;
  readonly #calls = new Set<Call<R>>();
  readonly #timeouts: Timeouts;
  /** Whether items are taken. */
  #isOpen = true;
  #turn: Promise<void> | undefined;
  #ready: PromiseWithResolvers<void> | undefined;
  #closing: PromiseWithResolvers<Account<T>> | undefined;
  /** Set once nothing is sent any more, and once what is out is given up as well. */
  #stopped: { readonly reason: unknown } | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #writable: WritableStream<T> | undefined;
  #writableController: WritableStreamDefaultController | undefined;

  /**
   * Constructs a batcher.
   *
   * @param sink Where batches go, or just the function that sends one.
   * @param options The options. They take precedence over the sink's defaults.
   * @throws {RangeError} If a number is out of range.
   * @throws {TypeError} If `sink` or another option is not a function where it must be one, or
   *   `maxBytes` lacks `sizeOf`.
   */
  constructor(sink: Sink<T, R> | Send<T, R>, options: AsyncBatcherOptions<T> = {}) {
    const resolved = resolveSink(sink, options);
    this.#send = resolved.send;
    this.#options = resolveOptions(resolved.options);
    const { signal, timeout, retry, failFast, maxFailures, onFailure } = this.#options;
    this.#timeouts = new Timeouts(timeout);
    this.#queue = new Queue(this.#options, this.#clock);
    this.#ledger = new Ledger({
      maxFailures,
      onFailure,
      onPushFailed: (error) => {
        if (failFast) this.#stop("the batcher has stopped at one that was not saved", error);
      },
    });
    this.#lines = new KeyLines(Math.max(timeout, retry.deadline), {
      release: (one) => this.#intake.release(one),
      giveUp: (waiting) => this.#intake.giveUp(waiting),
    });
    this.#settlement = new Settlement({
      options: this.#options,
      isStopped: () => this.#stopped !== undefined,
      queue: this.#queue,
      lines: this.#lines,
      ledger: this.#ledger,
    });
    this.#dispatcher = new Dispatcher(
      this.#queue,
      this.#options,
      this.#clock,
      (batch, now) => this.#call(batch, now),
    );
    this.#intake = new Intake({
      options: this.#options,
      queue: this.#queue,
      lines: this.#lines,
      ledger: this.#ledger,
      settlement: this.#settlement,
      clock: this.#clock,
      refuseIfClosed: (item) => this.#refuseIfClosed(item),
      changed: (now) => {
        this.#dispatcher.dispatch(now);
        this.#changed();
      },
    });
    if (assertSignal("create a batcher", signal)?.aborted) this.abort(signal!.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** Items in the queue, including those that wait for room or for a retry. */
  get size(): number {
    return this.#queue.size;
  }

  /** Batches in flight. */
  get inFlight(): number {
    return this.#dispatcher.inFlight;
  }

  /** Room left in the queue, in items, as in Web Streams: 0 or less when producers should wait. */
  get desiredSize(): number {
    return this.#isOpen ? this.#queue.room : 0;
  }

  /** Resolves once there is room in the queue, or waiting for it is of no use. */
  get ready(): Promise<void> {
    if (this.desiredSize > 0 || !this.#isOpen) return DONE;
    return (this.#ready ??= Promise.withResolvers()).promise;
  }

  /** The batcher as a stream: writing pushes, and closing the stream closes the batcher. */
  get writable(): WritableStream<T> {
    return this.#writable ??= new WritableStream<T>({
      start: (controller) => {
        this.#writableController = controller;
        if (this.#stopped !== undefined) controller.error(this.#stopped.reason);
      },
      write: (item) => this.push(item),
      close: () => this[Symbol.asyncDispose](),
      abort: async (reason) => void await this.abort(reason),
    });
  }

  /**
   * Adds an item, and settles with the item's own result.
   *
   * @param item The item.
   * @param options The signal withdraws the item while it is queued, and has no effect after that.
   * @returns The item's result.
   * @throws {UnsentError} If the batcher is closed, or is aborted before the item is sent.
   * @throws {OutcomeError} With the outcome `"unknown"`, if the item was sent and no answer came.
   * @throws {RangeError} If the item alone is larger than `maxBytes`.
   */
  add(item: T, options?: { signal?: AbortSignal }): Promise<R> {
    try {
      if (!this.#isOpen) this.#refuseIfClosed(item);
      const promise = this.#intake.add(item, options?.signal);
      this.#dispatcher.added(this.#clock.now);
      return promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Adds an item, and resolves once there is room for it. `flush()` and `close()` report the item if it
   * is not saved. Now and then this gives the event loop a turn, so that a loop that computes and
   * pushes does not keep timers and sockets waiting.
   *
   * @param item The item.
   * @param options The signal withdraws the item while it waits for room, and has no effect after
   *   that.
   * @throws {UnsentError} If the batcher is closed, or is aborted before there is room.
   * @throws {RangeError} If the item alone is larger than `maxBytes`.
   */
  push(item: T, options?: { signal?: AbortSignal }): Promise<void> {
    try {
      if (!this.#isOpen) this.#refuseIfClosed(item);
      const room = this.#intake.push(item, options?.signal);
      this.#dispatcher.added(this.#clock.now);
      if (room !== undefined) return room;
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#clock.now - this.#dispatcher.turnAt < LONG_TURN ? DONE : this.#giveTurn();
  }

  /**
   * Sends what is queued without waiting for batches to fill, and resolves when everything added so
   * far is settled.
   *
   * @param options The signal ends the wait; the items are still sent.
   * @throws {FlushError} If pushed items were not saved. Each is reported once.
   */
  async flush(options?: { signal?: AbortSignal }): Promise<void> {
    const signal = assertSignal("flush a batcher", options?.signal);
    signal?.throwIfAborted();
    this.#dispatcher.hurry();
    const settled = this.#ledger.epochs.settled();
    await (signal === undefined ? settled : unlessAborted(settled, signal));
    const { failures, omitted } = this.#ledger.takeFailures();
    if (failures.length > 0) throw new FlushError(failures, omitted);
  }

  /** Sends nothing until `resume()` or `close()`. Items can still be added. */
  pause(): void {
    if (this.#closing === undefined) this.#dispatcher.pause();
  }

  /** Sends again after `pause()`. */
  resume(): void {
    this.#dispatcher.resume();
  }

  /**
   * Accepts no more items, sends what is queued, and resolves when everything is settled.
   *
   * @returns The exact account, with the failures of pushed items that no `flush()` has reported.
   */
  close(): Promise<Account<T>> {
    if (this.#closing === undefined) {
      this.#isOpen = false;
      this.#closing = Promise.withResolvers();
      this.#closing.resolve(this.#drain());
    }
    return this.#closing.promise;
  }

  /**
   * Accepts and sends no more items. Queued items are unsent. Batches in flight have their signal
   * aborted, and their outcome is unknown.
   *
   * @param reason The reason for the signals, and the `cause` of the errors.
   * @returns The exact account.
   */
  abort(
    reason: unknown = new DOMException("The batcher was aborted", "AbortError"),
  ): Promise<Account<T>> {
    this.#aborted ??= { reason };
    this.#stop("the batcher was aborted", reason);
    for (const call of [...this.#calls]) call.cancel(reason);
    return this.close();
  }

  /**
   * Closes the batcher at the end of an `await using` block.
   *
   * @throws {FlushError} If pushed items were not saved and no `flush()` or `close()` has reported it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const seen = this.#closing !== undefined;
    const { failures, omitted } = await this.close();
    if (failures !== undefined && !seen) throw new FlushError(failures, omitted);
  }

  #refuseIfClosed(item: T): void {
    if (this.#isOpen) return;
    const state = this.#aborted !== undefined
      ? "is aborted"
      : this.#stopped !== undefined
      ? "has stopped at an item that was not saved"
      : "is closed";
    const message = `Cannot add an item as the batcher ${state}`;
    throw new UnsentError(item, message, this.#stopped && { cause: this.#stopped.reason });
  }

  #call(batch: PendingBatch<T, R>, now: number): void {
    const { tickets, lines } = batch;
    if (tickets !== undefined) this.#intake.forget(tickets);
    if (lines !== undefined) this.#lines.left(lines);
    this.#announceRoom();
    const sent = {
      id: batch.id ?? crypto.randomUUID(),
      attempt: batch.attempts + 1,
      waited: now - batch.at,
      start: performance.now(),
    };
    const unanswered = batch.histories?.some((one) => one?.unanswered !== undefined) ?? false;
    const call = startCall(this.#send, batch.items, {
      batch: { id: sent.id, attempt: sent.attempt, unanswered },
      timeouts: this.#timeouts,
      onReturn: lines && (() => {
        this.#lines.cameBack(lines);
        this.#dispatcher.dispatch(this.#clock.read());
      }),
    });
    this.#calls.add(call);
    call.answer.then((answer) => {
      this.#calls.delete(call);
      this.#settlement.settle(batch, sent, answer);
      this.#dispatcher.cameBack();
      this.#changed();
    });
    // The send function itself may have aborted the batcher.
    if (this.#aborted !== undefined) call.cancel(this.#aborted.reason);
  }

  /** Takes and sends nothing more. What is out comes to its end. */
  #stop(why: string, reason: unknown): void {
    if (this.#stopped !== undefined) return;
    this.#isOpen = false;
    this.#stopped = { reason };
    const items = this.#intake.clear();
    for (const one of items) this.#settlement.abandon(one, why, reason);
    this.#writableController?.error(reason);
    this.#dispatcher.dispatch(this.#clock.now);
    this.#changed();
  }

  /** Wakes those who wait for items to be settled, or for room. */
  #changed(): void {
    this.#ledger.epochs.wake();
    this.#announceRoom();
  }

  #announceRoom(): void {
    if (this.#ready === undefined || this.desiredSize <= 0 && this.#isOpen) return;
    this.#ready.resolve();
    this.#ready = undefined;
  }

  #giveTurn(): Promise<void> {
    return this.#turn ??= nextTurn().then(() => {
      this.#turn = undefined;
      this.#dispatcher.turnAt = this.#clock.read();
    });
  }

  async #drain(): Promise<Account<T>> {
    this.#ready?.resolve();
    this.#queue.hurry();
    this.#dispatcher.resume();
    await this.#ledger.epochs.settled();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    return this.#ledger.takeAccount();
  }

  #onAbort = () => void this.abort(this.#options.signal?.reason);
}

/** Settles as the promise does, or rejects when the signal is aborted. */
async function unlessAborted<V>(promise: Promise<V>, signal: AbortSignal): Promise<V> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const listener = () => reject(signal.reason);
  signal.addEventListener("abort", listener);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", listener);
  }
}
