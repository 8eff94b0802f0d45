import type { Consumer, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import { ScriptError } from "../cli/run.ts";
import { type Job, readJob } from "./job.ts";
import type { JobKey } from "./key.ts";
import { HEADERS } from "./streams.ts";

/** A message as it comes from the server. */
export type Message =
  & Pick<JsMsg, "data" | "headers" | "seq" | "ack" | "nak" | "working">
  & { readonly info: Pick<JsMsg["info"], "deliveryCount"> };

/** A message, and the job in it, or why there is none. */
export type Delivery =
  & { readonly message: Message }
  & ({ readonly job: Job } | {
    readonly reason: string;
    /** Whether it may be this worker that cannot do it, and not the job that cannot be done. */
    readonly doubtful?: boolean;
  });

/** Options of {@linkcode JobSource}. */
export interface JobSourceOptions {
  readonly consumer: Pick<Consumer, "fetch">;
  readonly key: JobKey;
  /** Columns of the table that come with the job. */
  readonly columns: readonly string[];
  /** Whether jobs are whole rows, for a function of the user's, instead of passwords. */
  readonly rows: boolean;
  /** Most messages in hand. */
  readonly prefetch: number;
  /** Milliseconds after which the server gives a job to another worker, unless it hears of it. */
  readonly ackWait: number;
  /** Finds messages that the server has and does not deliver. */
  readonly findLeftovers: () => Promise<readonly Message[]>;
  /** Whether there is nothing left to do, where the stream of jobs is to end then. */
  readonly isEmpty?: () => Promise<boolean>;
  /** Rejects with a {@linkcode ScriptError} where no jobs can come any more. */
  readonly checkConsumer: () => Promise<void>;
  /** Resolves where the connection is of no more use. */
  readonly broken: Promise<ScriptError>;
  /** Called with a sentence for whoever runs the worker. There is nothing of a job's content in it. */
  readonly log: (sentence: string) => void;
}

/** How long the server waits with its answer when there are no jobs, in milliseconds. */
const FETCH = 2_000;

/** Pause before the server is asked again that did not answer, in milliseconds. */
export const PAUSE = 500;

/** The jobs of a queue as a stream. The server is kept waiting for those that are in hand. */
export class JobSource implements Disposable {
  readonly #options: JobSourceOptions;
  readonly #inHand = new Set<Message>();
  /** In hand, and nobody has come for them yet. */
  readonly #waiting: Delivery[] = [];
  /** Messages without a job, until it is known whether there are others with one. */
  readonly #doubtful: { readonly message: Message; readonly reason: string }[] = [];
  readonly #heartbeat: ReturnType<typeof setInterval>;
  #change = Promise.withResolvers<void>();
  #fetching: Promise<void> | undefined;
  #messages: ConsumerMessages | undefined;
  #over = false;
  #failure: ScriptError | undefined;
  /** Whether there was a job that could be done. */
  #proven = false;
  #reachable = true;

  constructor(options: JobSourceOptions) {
    this.#options = options;
    this.#heartbeat = setInterval(() => {
      for (const message of this.#inHand) message.working();
    }, options.ackWait / 3);
    void options.broken.then((error) => this.#fail(error));
  }

  /** Whether no more jobs come, or are to be worked at. */
  get over(): boolean {
    return this.#over;
  }

  /** Why no more jobs can come, if there is a reason but the signal. */
  get failure(): ScriptError | undefined {
    return this.#failure;
  }

  /**
   * The jobs, until the signal is aborted, the queue is empty, or they cannot be taken.
   */
  async *jobs(signal: AbortSignal): AsyncGenerator<Delivery> {
    signal.addEventListener("abort", () => this.#stop());
    if (signal.aborted) this.#stop();
    this.#fetching = this.#fetchAll().finally(() => this.#stop());
    while (!this.#over) {
      if (this.#waiting.length > 0) yield this.#waiting.shift()!;
      else await this.#change.promise;
    }
  }

  /** The message is acknowledged, or given back. */
  release(message: Message): void {
    this.#inHand.delete(message);
    this.#wake();
    if (this.#inHand.size === 0) void this.#endEarly();
  }

  /** Takes what nobody has come for, once no more messages arrive. */
  async takeRest(): Promise<readonly Message[]> {
    await this.#fetching;
    const rest = [...this.#inHand];
    this.#inHand.clear();
    return rest;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heartbeat);
  }

  async #fetchAll(): Promise<void> {
    const { prefetch } = this.#options;
    while (!this.#over) {
      const room = prefetch - this.#inHand.size;
      if (room < Math.ceil(prefetch / 4)) await this.#change.promise;
      else if (await this.#fetch(room) === 0 && this.#inHand.size === 0 && await this.#isDone()) {
        break;
      }
    }
  }

  /** Takes so many messages at most, as they come, and returns how many came. */
  async #fetch(room: number): Promise<number> {
    const { consumer, isEmpty, log } = this.#options;
    let count = 0;
    try {
      const expires = isEmpty === undefined ? FETCH : 1_000;
      this.#messages = await consumer.fetch({ max_messages: room, expires });
      if (this.#over) this.#messages.stop();
      for await (const message of this.#messages) {
        count++;
        await this.#take(message);
      }
      this.#decide();
      this.#messages = undefined;
      if (!this.#reachable) log("NATS answers again");
      this.#reachable = true;
    } catch {
      this.#decide();
      if (this.#over) return count;
      // It may not be NATS that is gone.
      const why = await this.#options.checkConsumer().catch((error) => error);
      if (why instanceof ScriptError) this.#fail(why);
      if (this.#over) return count;
      if (this.#reachable) log("NATS does not answer: waiting for it");
      this.#reachable = false;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    return count;
  }

  /** The last job is done: the server need not be kept waiting for others until the fetch is over. */
  async #endEarly(): Promise<void> {
    const isEmpty = await this.#options.isEmpty?.().catch(() => false);
    if (isEmpty && this.#inHand.size === 0) this.#stop();
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
        for (const message of leftovers) await this.#take(message);
        this.#decide();
        while (this.#inHand.size > 0 && !this.#over) await this.#change.promise;
        if (this.#over) return false;
      }
    } catch {
      // The next fetch tells why.
      return false;
    }
  }

  async #take(message: Message): Promise<void> {
    this.#inHand.add(message);
    if (this.#over) return;
    const { job, reason, mayBeOurs } = await this.#open(message);
    if (job !== undefined) this.#waiting.push({ message, job });
    else if (mayBeOurs && !this.#proven) this.#doubtful.push({ message, reason });
    else this.#waiting.push({ message, reason });
    this.#wake();
  }

  /**
   * Until a job could be done, what cannot be done may be for this worker's flags, which must not cost
   * jobs. But a message that cannot be done, which whoever may publish can make, must stop no worker.
   */
  #decide(): void {
    const doubtful = !this.#proven;
    for (const one of this.#doubtful.splice(0)) this.#waiting.push({ ...one, doubtful });
    this.#wake();
  }

  async #open(message: Message): Promise<
    | { readonly job: Job; readonly reason?: undefined; readonly mayBeOurs?: undefined }
    | { readonly job?: undefined; readonly reason: string; readonly mayBeOurs: boolean }
  > {
    const { key, columns, rows } = this.#options;
    const content = await key.open(message.headers?.get(HEADERS.id) ?? "", message.data);
    const job = content === undefined ? undefined : readJob(content);
    if (job === undefined) {
      return (message.headers?.get(HEADERS.key) || key.id) === key.id
        ? { reason: "it cannot be opened: it is damaged", mayBeOurs: false }
        : { reason: "it is sealed with another key: check --key-file", mayBeOurs: true };
    }
    if (rows !== (job.password === undefined)) {
      const reason = rows
        ? "it is a password to hash: leave out --work, or choose another --stream"
        : "it is a row for a function of yours: use --work, or choose another --stream";
      return { reason, mayBeOurs: true };
    }
    const missing = columns.find((name) => !Object.hasOwn(job.carried, name));
    if (missing === undefined) {
      this.#proven = true;
      return { job };
    }
    const reason = `it has no column '${missing}': give --columns to enqueue.ts as well`;
    return { reason, mayBeOurs: true };
  }

  #fail(error: ScriptError): void {
    this.#failure ??= error;
    this.#stop();
  }

  #stop(): void {
    this.#over = true;
    this.#messages?.stop();
    this.#wake();
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
