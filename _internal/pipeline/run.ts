import { AsyncBatcher, type Sink, UnsentError } from "../../batcher.ts";
import { PoolClosedError, WorkerStartError } from "../../pool.ts";
import type { RowOutcome } from "../../postgres.ts";
import { LONG_TURN, nextTurn } from "../shared/event_loop.ts";
import type {
  Existing,
  ItemEnd,
  ItemOutcome,
  PipelineAccount,
  PipelineOptions,
} from "./options.ts";
import { Reader, type Source } from "./reader.ts";

type End<Row> = Omit<ItemEnd<Row>, "index">;
type Saved = RowOutcome | void;

/**
 * How long a row waits for its batch to fill, in milliseconds, unless the sink says so. Nobody waits
 * for a single one, and a request takes processor time, here and in the server. For 100,000 rows of
 * 50 µs, both together took 1.11 times as long without.
 */
const LINGER = 50;

const SKIPPED = { outcome: "skipped" } as const;
const UNFINISHED = { outcome: "unfinished" } as const;

/** What may become of a row whose key is there then. */
const IS_THERE: ReadonlySet<ItemOutcome> = new Set(["inserted", "updated", "skipped"]);

/** One run of a pipeline. */
export class PipelineRun<T, Row> {
  readonly #options: PipelineOptions<T, Row>;
  readonly #sink: Sink<Row, Saved>;
  readonly #saves: AsyncBatcher<Row, Saved>;
  readonly #lookups: AsyncBatcher<unknown, Existing> | undefined;
  readonly #maxPending: number;
  /** Results of single rows, which concern no other. */
  readonly #refusals = new WeakSet<Error>();
  readonly #account: Record<keyof PipelineAccount, number> = {
    read: 0,
    inserted: 0,
    updated: 0,
    skipped: 0,
    rejected: 0,
    unknown: 0,
    unfinished: 0,
  };
  /** Aborted when nothing more is to be read and computed. */
  readonly #stop = new AbortController();
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  /** Set when the sink is no longer to be used: what is out is waited for. */
  #noMoreSaves: { readonly reason: unknown } | undefined;
  #graceIsOver = false;
  #failure: { readonly error: unknown } | undefined;
  #pending = 0;
  /** Of them, those that wait for the sink. */
  #waiting = 0;
  /** Whether the source has ended, or is to be read no more. */
  #isRead = false;
  #changed: PromiseWithResolvers<void> | undefined;
  /** Resolves when the keys of all items so far are known. */
  #keysKnown: Promise<unknown> = Promise.resolve();
  /** Of each key the last item on its way, and whether the key exists after it. */
  readonly #last = new Map<unknown, Promise<{ end: End<Row>; exists: boolean }>>();
  /** Milliseconds that computations took of this turn of the event loop. */
  #busy = 0;
  #turn: Promise<void> | undefined;

  constructor(options: PipelineOptions<T, Row>) {
    const { sink, lookup, maxPending = 1_000 } = options;
    this.#options = options;
    this.#sink = typeof sink === "function" ? { send: sink } : sink;
    const { linger = LINGER, onBatch } = this.#sink.defaults ?? {};
    this.#saves = new AsyncBatcher(this.#watch(this.#sink), {
      linger,
      onBatch: (report) => {
        this.#dropUnsent(1);
        onBatch?.(report);
      },
    });
    this.#lookups = lookup && new AsyncBatcher(this.#watch(lookup));
    this.#maxPending = maxPending;
  }

  /** Brings every item of the source to its end. */
  async run(source: Source<T>): Promise<{
    readonly account: PipelineAccount;
    readonly failure: { readonly error: unknown } | undefined;
  }> {
    const { signal, lookup } = this.#options;
    const stop = () => this.#end(signal?.reason);
    signal?.addEventListener("abort", stop);
    if (signal?.aborted) stop();
    try {
      if (!this.#stop.signal.aborted) {
        await Promise.all([this.#sink.check?.(), lookup?.check?.()]);
      }
      await this.#readAll(source);
    } catch (error) {
      // What was read before comes to its end.
      this.#failure ??= { error };
    }
    while (this.#pending > 0) await this.#change();
    signal?.removeEventListener("abort", stop);
    clearTimeout(this.#graceTimer);
    await Promise.all([this.#saves.close(), this.#lookups?.close()]);
    return { account: this.#account, failure: this.#failure };
  }

  async #readAll(source: Source<T>): Promise<void> {
    const { signal } = this.#stop;
    const reader = new Reader(source, signal);
    try {
      for (;;) {
        while (this.#pending >= this.#maxPending && !signal.aborted) await this.#change();
        const next = reader.next();
        const { done, value } = next instanceof Promise ? await next : next;
        if (done) break;
        this.#take(value);
      }
    } finally {
      this.#isRead = true;
      this.#hurry();
      await reader.close();
    }
  }

  #wait(): void {
    this.#waiting++;
    this.#hurry();
  }

  /** Sends what lingers for company once none can come. */
  #hurry(): void {
    if (this.#waiting < this.#pending) return;
    if (this.#isRead || this.#pending >= this.#maxPending) void this.#saves.flush();
  }

  /** Every item has one promise here, and one in the batcher: those that are pending are many. */
  #take(item: T): void {
    const index = this.#account.read++;
    this.#pending++;
    const ending = this.#options.key === undefined ? this.#bring(item, false) : this.#find(item);
    void ending.then((end) => this.#ended(item, index, end));
  }

  #ended(item: T, index: number, end: End<Row>): void {
    this.#account[end.outcome]++;
    try {
      const told = this.#options.onEnd?.(item, { ...end, index });
      if (told !== undefined) {
        return void Promise.resolve(told)
          .catch((error) => this.#fail(error))
          .then(() => this.#leave());
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#leave();
  }

  #leave(): void {
    this.#pending--;
    this.#hurry();
    this.#wake();
  }

  /** Finds out what is there, and has items with the same key go one after the other. */
  async #find(item: T): Promise<End<Row>> {
    const existing = this.#lookUp(item);
    const known = this.#keysKnown.then(() => existing);
    this.#keysKnown = known;
    const found = await known;
    if (!("key" in found)) return found;
    const { key } = found;
    const before = this.#last.get(key);
    const going = (async () => {
      let wasSaved = false;
      if (before !== undefined) {
        this.#wait();
        wasSaved = (await before).exists;
        this.#waiting--;
      }
      const exists = wasSaved || found.row !== undefined;
      const end = await this.#bring(item, exists);
      const isThere = IS_THERE.has(end.outcome) && end.row !== undefined;
      return { end, exists: exists || isThere };
    })();
    this.#last.set(key, going);
    const { end } = await going;
    // A look-up that was asked before the row was saved may be answered after that.
    void this.#keysKnown.then(() => {
      if (this.#last.get(key) === going) this.#last.delete(key);
    });
    return end;
  }

  /** Never rejects. */
  async #lookUp(item: T): Promise<Existing | End<Row>> {
    let key: unknown;
    try {
      key = this.#options.key!(item);
    } catch (error) {
      return { outcome: "rejected", error };
    }
    try {
      return await this.#lookups?.add(key) ?? { key, row: undefined };
    } catch (error) {
      if (this.#stop.signal.aborted) return UNFINISHED;
      if (this.#isAboutItem(error)) return { outcome: "rejected", error };
      this.#fail(error);
      return { outcome: "unfinished", error };
    }
  }

  async #bring(item: T, exists: boolean): Promise<End<Row>> {
    const { onExisting = "skip", compute } = this.#options;
    const { signal } = this.#stop;
    if (exists && onExisting === "skip") return SKIPPED;
    // What is computed on this thread would keep timers and sockets waiting.
    while (this.#busy > LONG_TURN && !signal.aborted) await this.#giveTurn();
    if (signal.aborted) return UNFINISHED;
    let row: Row | null | undefined;
    try {
      const start = performance.now();
      const computing = compute(item, { signal, exists });
      this.#busy += performance.now() - start;
      row = await computing;
    } catch (error) {
      if (signal.aborted) return UNFINISHED;
      if (!isPoolDead(error)) return { outcome: "rejected", error };
      this.#fail(error);
      return { outcome: "unfinished", error };
    }
    if (row === null || row === undefined) return SKIPPED;
    try {
      const saving = this.#saves.add(row);
      this.#wait();
      return { outcome: await saving ?? "inserted", row };
    } catch (error) {
      return this.#notSaved(row, error);
    } finally {
      this.#waiting--;
    }
  }

  #notSaved(row: Row, error: unknown): End<Row> {
    const isUnknown = (error as { outcome?: unknown } | null | undefined)?.outcome === "unknown";
    if (!isUnknown && this.#isAboutItem(error)) return { outcome: "rejected", row, error };
    if (!this.#graceIsOver) {
      // One burst without an answer may be followed by better ones; a sink that is gone is not.
      if (isUnknown) this.#failure ??= { error };
      else {
        this.#fail(error);
        this.#noMoreSaves ??= { reason: error };
        this.#saves.pause();
        this.#dropUnsent(0);
      }
    }
    if (isUnknown) return { outcome: "unknown", row, error };
    return {
      outcome: "unfinished",
      row,
      error: error instanceof UnsentError ? error.cause : error,
    };
  }

  /**
   * Gives up what has not been sent once no batch is out any more, except so many that are just coming
   * back. A signal for each row would do the same, for twice the memory of a row that waits.
   */
  #dropUnsent(returning: 0 | 1): void {
    if (this.#noMoreSaves === undefined || this.#saves.inFlight > returning) return;
    void this.#saves.abort(this.#noMoreSaves.reason);
  }

  /** The same sink; which results it gives for single items is remembered. */
  #watch<I, R>(sink: Sink<I, R>): Sink<I, R> {
    return {
      ...sink,
      send: async (items, batch) => {
        const results = await sink.send(items, batch);
        if (Array.isArray(results)) {
          for (const result of results) if (result instanceof Error) this.#refusals.add(result);
        }
        return results;
      },
    };
  }

  /** Whether others would be taken. A `RangeError` is the batcher's, for what no batch can hold. */
  #isAboutItem(error: unknown): boolean {
    const { bisectable, retryable } = (error ?? {}) as {
      bisectable?: unknown;
      retryable?: unknown;
    };
    // What would have been tried again was given up with the others.
    const isFinal = this.#noMoreSaves === undefined || retryable !== true;
    return error instanceof RangeError || this.#refusals.has(error as Error) && isFinal ||
      bisectable === true;
  }

  #giveTurn(): Promise<void> {
    return this.#turn ??= nextTurn().then(() => {
      this.#turn = undefined;
      this.#busy = 0;
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#end(error);
  }

  /** Reads and computes no more. */
  #end(reason: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(reason);
    void this.#lookups?.abort(reason);
    const { gracePeriod = Infinity } = this.#options;
    if (gracePeriod !== Infinity) {
      this.#graceTimer = setTimeout(() => {
        this.#graceIsOver = true;
        void this.#saves.abort(reason);
      }, gracePeriod);
    }
    this.#wake();
  }

  /** Resolves when an item has ended, or the pipeline is to. */
  #change(): Promise<void> {
    return (this.#changed ??= Promise.withResolvers()).promise;
  }

  #wake(): void {
    this.#changed?.resolve();
    this.#changed = undefined;
  }
}

function isPoolDead(error: unknown): boolean {
  return error instanceof PoolClosedError || error instanceof WorkerStartError;
}
