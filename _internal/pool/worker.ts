import {
  MessageChannel,
  type MessagePort,
  type Worker,
  type WorkerOptions,
} from "node:worker_threads";
import { Board, commonTime, SLOTS } from "./board.ts";
import { type Answers, type Envelope, POOL, type ThreadData, type ToThread } from "./protocol.ts";
import type { Holder, Task } from "./task.ts";
import { THREAD } from "./thread.ts";
import { packThrown, tellThrown, type Thrown, unpackThrown } from "./thrown.ts";

/** Most milliseconds that a worker may take to end by itself. */
const END_TIMEOUT = 5000;

/**
 * Most milliseconds for which something is computed that nobody waits for any more: a new worker is
 * there in a tenth of that.
 */
const ABANDONED_TIMEOUT = 500;

const OUT_OF_MEMORY = "the worker ran out of memory";

/** How the workers of a pool are made. */
export interface WorkerSettings {
  readonly createWorker: (url: URL, options: WorkerOptions) => Worker;
  readonly thread: Omit<ThreadData, "type" | "board" | "tasks">;
  /** Most milliseconds until a worker is ready. */
  readonly startTimeout: number;
  /** Most milliseconds that a call may take. */
  readonly timeout: number | undefined;
  /** Most megabytes of its heap. */
  readonly maxHeap: number;
}

/** Why a worker is of no use any more, as the end of a sentence. */
export interface Death {
  readonly why: string;
  readonly cause?: unknown;
}

/** What a worker has to say to its pool. */
export interface WorkerEvents {
  ready(worker: PoolWorker): void;
  answered(worker: PoolWorker, answers: Answers, tasks: readonly (Task | undefined)[]): void;
  unsendable(task: Task, error: unknown): void;
  /** The call that it is at has taken too long, or nobody waits for it. */
  overran(worker: PoolWorker, call: readonly Task[]): void;
  died(worker: PoolWorker, death: Death): void;
}

/** The pool's side of one worker: what it has in hand, and whether it lives. */
export class PoolWorker implements Holder {
  /** Whether it has been loaded. */
  ready = false;
  /** Tasks that it computes at once. */
  atOnce = 1;
  /** Tasks in its hand that it still has to answer. */
  load = 0;
  /** Whether it has in hand what must be alone. */
  exclusive = false;
  /** Resolves once the thread has ended. */
  readonly ended: Promise<void>;
  readonly #settings: WorkerSettings;
  readonly #events: WorkerEvents;
  readonly #board = new Board();
  readonly #worker: Worker;
  /** Where it is sent tasks. */
  readonly #port: MessagePort;
  /** What it was given and has not passed, in its order. What was taken back has left a hole. */
  #hand: (Task | undefined)[] = [];
  /** Position of the first of them. */
  #first = 0;
  #alive = true;
  #ending = false;
  /** Whether it died, or will never be ready. */
  #broken = false;
  #teardown = false;
  #startTimer: ReturnType<typeof setTimeout> | undefined;
  #timeoutTimer: ReturnType<typeof setTimeout> | undefined;
  #abandonedTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: WorkerSettings, events: WorkerEvents) {
    const { createWorker, thread, startTimeout, maxHeap } = settings;
    this.#settings = settings;
    this.#events = events;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const workerData: ThreadData = {
      type: POOL,
      board: this.#board.buffer,
      tasks: port2,
      ...thread,
    };
    try {
      this.#worker = createWorker(threadUrl(new URL(THREAD)), {
        workerData,
        transferList: [port2],
        resourceLimits: { maxOldGenerationSizeMb: maxHeap },
      });
    } catch (error) {
      port1.close();
      port2.close();
      throw error;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#worker.on("message", (said: Partial<Envelope> | null) => this.#hear(said));
    this.#worker.on("error", (error: Error & { code?: string }) => {
      const isMemory = error?.code === "ERR_WORKER_OUT_OF_MEMORY";
      const died = this.ready
        ? `the worker died of ${tellThrown(packThrown(error))}`
        : `${error?.message}`;
      const why = isMemory ? OUT_OF_MEMORY : died;
      this.#died({ why, cause: error });
    });
    this.#worker.on("messageerror", (error: unknown) => {
      this.#died({ why: "the worker said what cannot be read", cause: error });
    });
    this.#worker.on("exit", (code: number) => {
      resolve();
      port1.close();
      const when = this.ready ? "" : " before it was ready";
      this.#died({ why: `the worker ended with exit code ${code}${when}` });
    });
    this.#startTimer = setTimeout(() => {
      this.#died({ why: `the worker was not ready within ${startTimeout / 1000} s` });
    }, startTimeout);
  }

  /** Most tasks that it can be given now. */
  get room(): number {
    return SLOTS - this.#hand.length;
  }

  give(tasks: readonly Task[]): void {
    const start = this.#first + this.#hand.length;
    for (const i of tasks.keys()) this.#board.offer(start + i);
    const message: ToThread = { type: "tasks", tasks: tasks.map(({ value }) => value) };
    try {
      this.#port.postMessage(message, tasks[0].transfer as never);
    } catch (error) {
      if (tasks.length === 1) return this.#events.unsendable(tasks[0], error);
      for (const task of tasks) this.give([task]);
      return;
    }
    for (const [i, task] of tasks.entries()) {
      task.worker = this;
      task.position = (start + i) | 0;
      this.#hand.push(task);
    }
    this.load += tasks.length;
    this.exclusive = tasks[0].alone;
    if (this.#settings.timeout !== undefined) this.#watch(this.#settings.timeout);
  }

  /** Nobody waits for a task any more. If the worker has begun it, it is let finish, but not for long. */
  abandon(task: Task): void {
    if (this.#takeBack(task)) return;
    this.#abandonedTimer ??= setTimeout(() => {
      this.#abandonedTimer = undefined;
      const call = this.#call();
      if (call.length > 0 && call.every(({ settled }) => settled)) this.#events.overran(this, call);
    }, ABANDONED_TIMEOUT);
  }

  /** Takes back up to so many tasks that it has not begun, the last first; returns them in order. */
  takeBackLast(max: number): Task[] {
    const taken: Task[] = [];
    for (let i = this.#hand.length - 1; i >= 0 && taken.length < max; i--) {
      const task = this.#hand[i];
      if (task === undefined) continue;
      if (!this.#takeBack(task)) break;
      taken.push(task);
    }
    return taken.reverse();
  }

  /** What it has in hand: what it has begun and not answered, and the rest. */
  empty(): { begun: Task[]; rest: Task[] } {
    const begun: Task[] = [], rest: Task[] = [];
    for (const task of this.#hand) {
      if (task === undefined) continue;
      (this.#board.isClaimed(task.position) ? begun : rest).push(task);
      task.worker = undefined;
    }
    // It may be busy with it for long.
    if (begun.length > 0) this.#teardown = false;
    this.#hand = [];
    this.#lighten(this.load);
    return { begun, rest };
  }

  /** Says whether the worker keeps the process alive; it does at first. */
  keepAlive(alive: boolean): void {
    if (alive === this.#alive || this.#ending) return;
    this.#alive = alive;
    if (alive) this.#worker.ref();
    else this.#worker.unref();
  }

  /** Ends it: at once, or, where it is idle, after its `teardown()`. */
  end(): Promise<void> {
    if (this.#ending) return this.ended;
    this.#ending = true;
    this.#clearTimers();
    this.#worker.ref();
    const gently = !this.ready && !this.#broken || this.#teardown && this.load === 0;
    if (!gently) this.#worker.terminate();
    else {
      // Deno 2.9 panics when a thread is terminated that is loading its modules.
      if (this.ready) this.#port.postMessage({ type: "end" } satisfies ToThread);
      const timer = setTimeout(() => this.#worker.terminate(), END_TIMEOUT);
      this.ended.then(() => clearTimeout(timer));
    }
    return this.ended;
  }

  #hear(said: Partial<Envelope> | null): void {
    const message = said?.[POOL];
    // The user's module may have something to say to the thread that it believes to have started it.
    if (message === undefined) return;
    if (this.#ending) {
      if (message.type === "ready" || message.type === "unusable") this.#worker.terminate();
      return;
    }
    if (message.type === "answers") {
      const tasks = this.#hand.splice(0, message.results.length);
      this.#first = (this.#first + message.results.length) | 0;
      let answered = 0;
      for (const task of tasks) if (task !== undefined) answered++;
      this.#lighten(answered);
      this.#events.answered(this, message, tasks);
    } else if (message.type === "ready") {
      clearTimeout(this.#startTimer);
      this.ready = true;
      this.atOnce = message.atOnce;
      this.#teardown = message.teardown;
      this.#events.ready(this);
    } else if (message.type === "unusable") {
      this.#died({ why: message.why, cause: unpacked(message.thrown) });
    } else if (message.type === "outOfMemory") this.#died({ why: OUT_OF_MEMORY });
    else {
      const why = `the worker had an error that nobody caught, ${tellThrown(message.thrown)}`;
      this.#died({ why, cause: unpacked(message.thrown) });
    }
  }

  /** Takes a task back, unless the worker has begun it. */
  #takeBack(task: Task): boolean {
    if (!this.#board.revoke(task.position)) return false;
    this.#hand[(task.position - this.#first) | 0] = undefined;
    task.worker = undefined;
    this.#lighten(1);
    return true;
  }

  #lighten(count: number): void {
    this.load -= count;
    if (this.load > 0) return;
    this.exclusive = false;
    this.#clearTimers();
  }

  /** Looks, not before so many milliseconds, whether a call has taken too long. */
  #watch(delay: number): void {
    this.#timeoutTimer ??= setTimeout(() => {
      this.#timeoutTimer = undefined;
      const timeout = this.#settings.timeout!;
      const { call } = this.#board;
      const spent = call === undefined ? 0 : commonTime() - call.since;
      if (spent < timeout) return this.#watch(Math.ceil(timeout - spent));
      this.#events.overran(this, this.#call());
    }, delay);
  }

  #clearTimers(): void {
    clearTimeout(this.#startTimer);
    clearTimeout(this.#timeoutTimer);
    clearTimeout(this.#abandonedTimer);
    this.#timeoutTimer = this.#abandonedTimer = undefined;
  }

  /** The tasks that it is computing. */
  #call(): Task[] {
    const { call } = this.#board;
    if (call === undefined) return [];
    const start = (call.position - this.#first) | 0;
    return this.#hand.slice(Math.max(0, start), Math.max(0, start + call.size))
      .filter((task) => task !== undefined);
  }

  #died(death: Death): void {
    if (this.#ending) return;
    this.#broken = true;
    this.end();
    this.#events.died(this, death);
  }
}

function unpacked(thrown: Thrown | undefined): unknown {
  return thrown === undefined ? undefined : unpackThrown(thrown);
}

/** A worker of `node:worker_threads` must be on disk, or be given its text. */
function threadUrl(url: URL): URL {
  if (url.protocol === "file:") return url;
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import ${JSON.stringify(url.href)};`)}`,
  );
}
