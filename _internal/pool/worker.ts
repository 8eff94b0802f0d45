import { MessageChannel, type MessagePort } from "node:worker_threads";
import {
  type FromWorker,
  type HashEngine,
  type HashSettings,
  type JobResult,
  type ToWorker,
  WORKER_NAME,
} from "./hash_protocol.ts";
import type { HashTask } from "./hash_task.ts";
import { keepAlive } from "./ref.ts";

/** Most milliseconds that a worker may take to be loaded. */
const START_TIMEOUT = 30_000;

/** How the workers of a pool are made. */
export interface WorkerSettings {
  readonly url: string;
  readonly createWorker: (url: string, name: string) => Worker;
  readonly settings: HashSettings;
  /** By default, `"auto"`. */
  readonly engine?: HashEngine;
}

/** What a worker has to say to its pool. */
export interface WorkerEvents {
  ready(worker: PoolWorker): void;
  noLanes(worker: PoolWorker, reason: string): void;
  answered(worker: PoolWorker, results: readonly (readonly [number, JobResult])[]): void;
  died(worker: PoolWorker, cause: unknown): void;
}

/** The pool's side of one worker: what it has in hand, and whether it lives. */
export class PoolWorker {
  /** What it was given and has not answered. It works in this order. */
  readonly hand = new Map<number, HashTask>();
  /** The work in its hand, in rounds. */
  load = 0;
  /** Whether it has been loaded. */
  ready = false;
  /** Most passwords that it hashes at once. */
  lanes = 1;
  readonly #events: WorkerEvents;
  readonly #worker: Worker;
  readonly #startTimer: ReturnType<typeof setTimeout>;
  #lifeline: MessagePort | undefined;
  #alive = true;
  #ended = false;

  constructor(
    { url, createWorker, settings, engine = "auto" }: WorkerSettings,
    events: WorkerEvents,
  ) {
    this.#events = events;
    this.#worker = createWorker(url, WORKER_NAME);
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "results") events.answered(this, data.results);
      else if (data.type === "noLanes") this.#noLanes(engine, data.reason);
      else {
        if (engine !== "bcryptjs") this.lanes = data.lanes ?? 1;
        this.#start(settings, engine);
      }
    });
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#died(new Error(event.message));
    });
    this.#worker.addEventListener("messageerror", () => {
      this.#died(new Error("A message could not be read"));
    });
    this.#startTimer = setTimeout(() => {
      this.#died(new Error(`It was not loaded within ${START_TIMEOUT / 1000} s`));
    }, START_TIMEOUT);
  }

  give(tasks: readonly HashTask[]): void {
    for (const task of tasks) {
      this.hand.set(task.number, task);
      this.load += task.bytes;
    }
    const jobs = tasks.map(({ number, item: { password, hash } }) => ({
      id: number,
      password,
      hash,
    }));
    this.#post({ type: "group", jobs });
  }

  /** Has the worker pass over a task, unless it is at it already. It answers in either case. */
  skip(task: HashTask): void {
    this.#post({ type: "skip", id: task.number });
  }

  /** Takes an answered task out of its hand. */
  take(number: number): HashTask | undefined {
    const task = this.hand.get(number);
    if (task === undefined) return undefined;
    this.hand.delete(number);
    this.load -= task.bytes;
    return task;
  }

  /** Says whether the worker keeps the process alive; it does at first. */
  keepAlive(alive: boolean): void {
    if (alive === this.#alive) return;
    this.#alive = alive;
    keepAlive(this.#worker, alive);
    this.#refLifeline();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#startTimer);
    this.#worker.terminate();
    this.#lifeline?.close();
  }

  #start(settings: HashSettings, engine: HashEngine): void {
    clearTimeout(this.#startTimer);
    const { port1, port2 } = new MessageChannel();
    // No event tells of a worker that is terminated, or closes itself. Its end of a port closes then.
    port1.on("close", () => this.#died(new Error("It ended")));
    // A port is not open before somebody listens.
    port1.on("message", () => {});
    this.#lifeline = port1;
    this.#refLifeline();
    this.#post({ type: "start", settings, engine, lifeline: port2 }, [port2]);
    this.ready = true;
    this.#events.ready(this);
  }

  #noLanes(engine: HashEngine, reason: string): void {
    this.lanes = 1;
    if (engine === "auto") return this.#events.noLanes(this, reason);
    // It does nothing.
    this.ready = false;
    this.#died(new Error(`The engine "lanes" cannot be used as ${reason}`));
  }

  #refLifeline(): void {
    if (this.#alive) this.#lifeline?.ref();
    else this.#lifeline?.unref();
  }

  #post(message: ToWorker, transfer: readonly MessagePort[] = []): void {
    this.#worker.postMessage(message, transfer as unknown as Transferable[]);
  }

  #died(cause: Error): void {
    if (this.#ended) return;
    this.end();
    this.#events.died(this, cause);
  }
}
