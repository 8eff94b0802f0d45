import { type HashPool, HashWorkerError } from "../../hash_pool.ts";
import type { InputRow, Page } from "../input/row.ts";
import type { Known, OnConflict, Store } from "../table/store.ts";
import type { Ending, Verdict } from "../table/verdict.ts";
import { Account } from "./account.ts";

/** Options of {@linkcode Job}. */
export interface JobOptions {
  readonly pool: Pick<HashPool, "hash" | "workers">;
  readonly store: Store;
  readonly onConflict: OnConflict;
  /** Called for every row that is rejected. */
  readonly onRejected: (line: number, reason: string) => void;
  /** Stops the job: what is hashed is saved, and nothing more is hashed. */
  readonly signal: AbortSignal;
}

/**
 * Rows on their way, waiting for a worker or for the answer of the database: so many, and so many
 * more for each worker. It is what the workers hash at cost 4 while a row is saved. More would hold
 * rows, and their passwords, for longer than the garbage collector likes.
 */
const ROWS = 500;
const ROWS_PER_WORKER = 250;

/** How a row may end that is in the table then. */
const IN_TABLE: ReadonlySet<Ending> = new Set(["saved", "updated", "skipped"]);

/** Brings every row of the input to its end, many at a time. */
export class Job {
  /** Where it stands, and at the end the exact account. */
  readonly account = new Account();
  /** Aborted when the job is to end before the input does. */
  readonly signal: AbortSignal;
  readonly #options: JobOptions;
  readonly #stop = new AbortController();
  /** Most rows on their way. */
  readonly #room: number;
  /** The last row on its way for each id. */
  readonly #last = new Map<string, Promise<Ending>>();
  #rows = 0;
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#room = ROWS + ROWS_PER_WORKER * options.pool.workers;
    this.signal = AbortSignal.any([options.signal, this.#stop.signal]);
  }

  /**
   * Does the job. It ends when every row that was read has ended.
   *
   * @returns What kept it from ending well, if anything did.
   */
  async run(pages: AsyncIterable<Page>): Promise<{ readonly error: unknown } | undefined> {
    try {
      for await (const page of pages) {
        this.account.read += page.length;
        await this.#admit(page);
        if (this.signal.aborted) break;
      }
    } catch (error) {
      // The input is damaged from here on. What was read before comes to its end.
      this.#failure ??= { error };
    }
    while (this.#rows > 0) await this.#change();
    const { read, done } = this.account;
    if (read !== done) throw new Error(`Of ${read} rows that were read, ${done} are accounted for`);
    return this.#failure;
  }

  /** Lets the rows of a page in, one after the other, as there is room. */
  async #admit(page: Page): Promise<void> {
    const { store } = this.#options;
    const rows: InputRow[] = [];
    for (const row of page) {
      if ("reason" in row) this.#end(row, { ending: "rejected", reason: row.reason });
      else rows.push(row);
    }
    let next = 0;
    try {
      const known = await orAborted(store.find(rows.map(({ id }) => id)), this.signal);
      for (; next < rows.length; next++) {
        while (this.#rows >= this.#room) await this.#change();
        if (this.signal.aborted) break;
        this.#start(rows[next], known[next]);
      }
    } catch (error) {
      if (!this.signal.aborted) this.#giveUp(error);
    }
    this.account.count("unfinished", rows.length - next);
  }

  /** Rows of the same id go one after the other, in the order of the input. */
  async #start(row: InputRow, known: Known | Error): Promise<void> {
    if (known instanceof Error) {
      return this.#end(row, { ending: "rejected", reason: known.message });
    }
    const { key, there } = known;
    const before = this.#last.get(key);
    const ending = (async () => {
      const wasSaved = before !== undefined && IN_TABLE.has(await before);
      const verdict = await this.#go(row, there || wasSaved);
      this.#end(row, verdict);
      return verdict.ending;
    })();
    this.#rows++;
    this.#last.set(key, ending);
    await ending;
    this.#rows--;
    if (this.#last.get(key) === ending) this.#last.delete(key);
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }

  /** The way of a row. */
  async #go(row: InputRow, there: boolean): Promise<Verdict> {
    const { pool, store, onConflict } = this.#options;
    if (there && onConflict === "skip") return { ending: "skipped" };
    if (there && onConflict === "error") {
      return { ending: "rejected", reason: "its id is there already" };
    }
    let hash: string;
    try {
      hash = await pool.hash(row.password, { signal: this.signal });
      this.account.hashed++;
    } catch (error) {
      if (this.signal.aborted) return { ending: "unfinished" };
      // A worker that died takes this password with it; where none can be started, the job is over.
      const isPoolDead = error instanceof HashWorkerError && !error.started;
      if (isPoolDead) return { ending: "unfinished", error };
      return { ending: "rejected", reason: (error as Error).message };
    } finally {
      row.password = "";
    }
    return await store.save({ id: row.id, hash, carried: row.carried });
  }

  #end({ line }: { line: number }, { ending, reason, error }: Verdict): void {
    this.account.count(ending);
    try {
      if (reason !== undefined) this.#options.onRejected(line, reason);
    } catch (error) {
      this.#giveUp(error);
    }
    if (error === undefined) return;
    // One burst without an answer may be followed by better ones; a database that is gone is not.
    if (ending === "unknown") this.#failure ??= { error };
    else this.#giveUp(error);
  }

  #giveUp(error: unknown): void {
    this.#failure ??= { error };
    this.#options.store.abort(error);
    this.#stop.abort(error);
  }

  /** Resolves when a row has ended. */
  #change(): Promise<void> {
    return (this.#waiting ??= Promise.withResolvers()).promise;
  }
}

/** Does not wait for what nobody needs any more. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
