import type { Consumer, JsMsg } from "@nats-io/jetstream";
import { type HashPool, HashWorkerError } from "../../hash_pool.ts";
import { UnsentError } from "../../batcher.ts";
import { ScriptError } from "../cli/run.ts";
import type { Store } from "../table/store.ts";
import { type Job, readJob } from "./job.ts";
import type { JobKey } from "./key.ts";
import { HEADERS, isGone } from "./streams.ts";

/** A job as it comes from the server. */
export type Message =
  & Pick<JsMsg, "data" | "headers" | "seq" | "ack" | "nak" | "working">
  & { readonly info: Pick<JsMsg["info"], "deliveryCount"> };

/** Options of {@linkcode QueueWorker}. */
export interface QueueWorkerOptions {
  readonly consumer: Pick<Consumer, "fetch">;
  readonly key: JobKey;
  readonly pool: Pick<HashPool, "hash">;
  readonly store: Store;
  /** Columns of the table that come with the job. */
  readonly columns: readonly string[];
  /** Most jobs in hand. */
  readonly prefetch: number;
  /** Milliseconds after which the server gives a job to another worker, unless it hears of it. */
  readonly ackWait: number;
  /**
   * How often a job is delivered before it is dead. Also a job counts that was only in hand when a
   * worker ended, for whatever reason, as nobody can tell which one it died of.
   */
  readonly maxDeliveries: number;
  /** Finds jobs that the server has and does not deliver. */
  readonly findLeftovers: () => Promise<readonly Message[]>;
  /** Whether there is nothing left to do, where the worker is to end then. */
  readonly isEmpty?: () => Promise<boolean>;
  /** Puts a job aside. */
  readonly bury: (message: Message, reason: string) => Promise<void>;
  /** Called with a sentence for whoever runs the worker. There is nothing of a job's content in it. */
  readonly log: (sentence: string) => void;
}

/** How many jobs ended in each way. */
export interface Totals {
  /** New in the table. */
  saved: number;
  /** Were in the table already. */
  skipped: number;
  /** Can never succeed, and were put aside. */
  dead: number;
  /** Given back for another worker. */
  returned: number;
}

/** How a job ended. */
type Ending =
  | { readonly kind: "saved" | "skipped" }
  | { readonly kind: "dead"; readonly reason: string }
  /** Not its own fault. */
  | { readonly kind: "returned"; readonly delay?: number; readonly error?: unknown };

/** How long the server waits with its answer when there are no jobs, in milliseconds. */
const FETCH = 2_000;

/** Pause before the server is asked again that did not answer, in milliseconds. */
const PAUSE = 500;

/** How long what is hashed may take to be saved once the worker is to stop, in milliseconds. */
const LAST_SAVES = 10_000;

/** How many threads a job may cost. Unlike a worker that ends, they die of this very job. */
const MAX_THREADS = 5;

/** Takes jobs from the queue, and acknowledges each once its row is committed. */
export class QueueWorker {
  readonly totals: Totals = { saved: 0, skipped: 0, dead: 0, returned: 0 };
  readonly #options: QueueWorkerOptions;
  readonly #inHand = new Set<Message>();
  readonly #stop = new AbortController();
  #change = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;
  /** Whether the key was right for a job. */
  #opened = false;
  #opening: Promise<unknown> = Promise.resolve();
  #reachable = true;

  constructor(options: QueueWorkerOptions) {
    this.#options = options;
  }

  /**
   * Works until the signal is aborted, then finishes what is hashed and gives back the rest.
   *
   * @throws What it cannot go on with, once every job is finished or given back.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { ackWait, prefetch, store } = this.#options;
    const stop = () => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", stop);
    // It may be waiting for a job to end, and none does while the database is down.
    this.#stop.signal.addEventListener("abort", () => this.#wake());
    if (signal.aborted) stop();
    const heartbeat = setInterval(() => {
      for (const message of this.#inHand) message.working();
    }, ackWait / 3);
    try {
      while (!this.#stop.signal.aborted) {
        const room = prefetch - this.#inHand.size;
        if (room < Math.ceil(prefetch / 4)) await this.#change.promise;
        else if (await this.#fetch(room) === 0 && this.#inHand.size === 0 && await this.#isDone()) {
          break;
        }
      }
      const timer = setTimeout(() => store.abort(new Error("The worker has stopped")), LAST_SAVES);
      while (this.#inHand.size > 0) await this.#change.promise;
      clearTimeout(timer);
    } finally {
      clearInterval(heartbeat);
      signal.removeEventListener("abort", stop);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Takes so many jobs at most, as they come, and returns how many came. */
  async #fetch(room: number): Promise<number> {
    const { consumer, isEmpty } = this.#options;
    const { signal } = this.#stop;
    let count = 0;
    try {
      const expires = isEmpty === undefined ? FETCH : 1_000;
      const messages = await consumer.fetch({ max_messages: room, expires });
      const stop = () => messages.stop();
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
      try {
        for await (const message of messages) {
          count++;
          this.#take(message);
        }
      } finally {
        signal.removeEventListener("abort", stop);
      }
      if (!this.#reachable) this.#options.log("NATS answers again");
      this.#reachable = true;
    } catch (error) {
      if (signal.aborted) return count;
      if (isGone(error)) {
        this.#fail(new ScriptError("Cannot go on as the stream or its consumer was deleted"));
        return count;
      }
      if (this.#reachable) this.#options.log("NATS does not answer: waiting for it");
      this.#reachable = false;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    return count;
  }

  /** Whether there is nothing left to do. Takes what the server has forgotten to deliver. */
  async #isDone(): Promise<boolean> {
    const { findLeftovers, isEmpty } = this.#options;
    try {
      // A server that was killed may leave thousands.
      for (let before = 0;;) {
        const leftovers = await findLeftovers();
        if (leftovers.length === 0) return await isEmpty?.() === true;
        // What cannot be deleted would be found for ever.
        if (leftovers[0].seq === before) return false;
        before = leftovers[0].seq;
        for (const message of leftovers) this.#take(message);
        while (this.#inHand.size > 0) await this.#change.promise;
        if (this.#stop.signal.aborted) return false;
      }
    } catch {
      // The next fetch tells why.
      return false;
    }
  }

  async #take(message: Message): Promise<void> {
    this.#inHand.add(message);
    try {
      await this.#end(message, await this.#work(message));
    } catch (error) {
      this.#fail(error);
    }
    this.#inHand.delete(message);
    this.#wake();
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** The way of a job. */
  async #work(message: Message): Promise<Ending> {
    const { maxDeliveries, pool, store, columns } = this.#options;
    const { signal } = this.#stop;
    const { deliveryCount } = message.info;
    const job = await this.#open(message);
    if ("kind" in job) return job;
    const { id, password } = job;
    const missing = columns.find((name) => !Object.hasOwn(job.carried, name));
    if (missing !== undefined) {
      return this.#giveBack(
        new ScriptError(
          `Cannot save jobs as they have no column '${missing}': give --columns to enqueue.ts as well`,
        ),
      );
    }
    let hash: string;
    try {
      const [known] = await store.find([id]);
      if (known instanceof Error) return dead(known.message);
      // It is done, and only the acknowledgement was lost.
      if (known.there) return { kind: "skipped" };
      if (deliveryCount > maxDeliveries) {
        const times = `${deliveryCount - 1} times`;
        return dead(`workers have taken it ${times}, and have not finished it: one may die of it`);
      }
      hash = await pool.hash(password, { signal });
    } catch (error) {
      if (signal.aborted || error instanceof UnsentError) return { kind: "returned" };
      if (error instanceof TypeError || error instanceof RangeError) return dead(error.message);
      if (error instanceof HashWorkerError && error.started) {
        return deliveryCount < Math.min(MAX_THREADS, maxDeliveries)
          ? { kind: "returned", delay: 1_000 }
          : dead(error.message);
      }
      return this.#giveBack(error);
    }
    const carried = columns.map((name) => job.carried[name]);
    const { ending, reason, error } = await store.save({ id, hash, carried });
    switch (ending) {
      case "saved":
        return { kind: "saved" };
      case "updated":
      case "skipped":
        return { kind: "skipped" };
      case "rejected":
        return dead(reason!);
      default:
        return error === undefined || signal.aborted ? { kind: "returned" } : this.#giveBack(error);
    }
  }

  /** One after the other, as they came: the first ones tell whether the key is the right one. */
  #open(message: Message): Promise<Job | Ending> {
    const job = this.#opening.then(() => this.#openNext(message));
    this.#opening = job.catch(() => {});
    return job;
  }

  async #openNext(message: Message): Promise<Job | Ending> {
    const { key } = this.#options;
    const content = await key.open(message.headers?.get(HEADERS.id) ?? "", message.data);
    const job = content === undefined ? undefined : readJob(content);
    if (job !== undefined) {
      this.#opened = true;
      return job;
    }
    const otherKey = (message.headers?.get(HEADERS.key) || key.id) !== key.id;
    // Who has opened others has the right key. Who has not must not put all of them aside.
    if (otherKey && !this.#opened) {
      return this.#giveBack(
        new ScriptError(
          "Cannot open the jobs as they are sealed with another key: check --key-file",
        ),
      );
    }
    return dead(otherKey ? "it is sealed with another key" : "it cannot be opened: it is damaged");
  }

  async #end(message: Message, ending: Ending): Promise<void> {
    if (ending.kind === "returned") {
      message.nak(ending.delay);
    } else {
      if (ending.kind === "dead" && !await this.#bury(message, ending.reason)) {
        this.totals.returned++;
        return;
      }
      message.ack();
    }
    this.totals[ending.kind]++;
  }

  /** Returns whether it is buried; if not, the server delivers it again. */
  async #bury(message: Message, reason: string): Promise<boolean> {
    const name = message.headers?.get(HEADERS.id) || `number ${message.seq}`;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#options.bury(message, reason);
        this.#options.log(`Job ${name} is dead: ${reason}`);
        return true;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
    return false;
  }

  #giveBack(error: unknown): Ending {
    this.#fail(error);
    return { kind: "returned" };
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop.abort(error);
  }
}

function dead(reason: string): Ending {
  return { kind: "dead", reason };
}
