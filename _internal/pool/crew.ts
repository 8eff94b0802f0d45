import { AbortRegistry } from "../shared/abort_registry.ts";
import { atEndOfTurn } from "../shared/event_loop.ts";
import { PoolClosedError, WorkError, WorkerStartError, type WorkFailure } from "./errors.ts";
import type { Answers, Failure } from "./protocol.ts";
import { TaskQueue } from "./queue.ts";
import type { Task } from "./task.ts";
import { packThrown, tellThrown, unpackThrown } from "./thrown.ts";
import { type Death, PoolWorker, type WorkerEvents, type WorkerSettings } from "./worker.ts";

/**
 * Most milliseconds of work in one message to a worker. A worker has up to two such groups in hand, so
 * that it has the next one while its answer travels, or while the thread of the pool is busy: by so much
 * that thread may be late.
 */
const GROUP_MS = 20;

/** Most tasks in one message. */
const MAX_GROUP = 1024;

/** What is taken from a busy worker for an idle one must be worth so many milliseconds, a message. */
const LEAST_MS = 2;

/** Weight of the last answer in the measured time of a task. */
const WEIGHT = 0.3;

/** What `map()` reads ahead for each worker: so many milliseconds of work, within limits. */
const AHEAD_MS = 100, LEAST_AHEAD = 4;

/** Workers that may end one after the other without having begun anything they were given. */
const MAX_BARREN = 3;

/** When a task was computed, and with what result. */
export interface Computed {
  /** What came out. */
  readonly result: unknown;
  /** Number of the worker, from 0 in the order in which they were started. */
  readonly worker: number;
  /** When it was begun, in milliseconds by `performance.now()` of the pool's thread. */
  readonly start: number;
  /** When it was done, by the same clock. */
  readonly end: number;
}

/** Leads the workers of a pool: a queue, and the rule by which they are given what is in it. */
export class Crew implements WorkerEvents {
  readonly #max: number;
  readonly #settings: WorkerSettings;
  readonly #onComputed: ((computed: Computed) => void) | undefined;
  readonly #queue = new TaskQueue();
  readonly #signals = new AbortRegistry<Task>((task, reason) => this.withdraw(task, reason));
  /** Those that have answered last come last. With their numbers. */
  readonly #workers = new Map<PoolWorker, number>();
  /** Threads that have not ended. */
  readonly #ending = new Set<Promise<void>>();
  /** As many workers as can be started: fewer than asked for, once one could not be. */
  #limit: number;
  #started = 0;
  #barren = 0;
  #unsettled = 0;
  /** What a task takes, in milliseconds. */
  #ms: number | undefined;
  #scheduled = false;
  #balanceTimer: ReturnType<typeof setTimeout> | undefined;
  #starting: PromiseWithResolvers<void> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(
    max: number,
    settings: WorkerSettings,
    onComputed?: (computed: Computed) => void,
  ) {
    this.#max = this.#limit = max;
    this.#settings = settings;
    this.#onComputed = onComputed;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get inFlight(): number {
    return this.#unsettled - this.#queue.size;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Tasks that it takes to keep the workers busy while their results are made use of. */
  get lookAhead(): number {
    let each = this.#ms === undefined ? LEAST_AHEAD : Math.floor(AHEAD_MS / this.#ms);
    for (const { atOnce } of this.#workers.keys()) {
      if (atOnce !== Infinity) each = Math.max(each, 3 * atOnce);
    }
    return this.#max * Math.min(Math.max(LEAST_AHEAD, each), MAX_GROUP);
  }

  /** Resolves once a worker is ready. */
  start(): Promise<void> {
    if (this.closed) return Promise.reject(closedError());
    for (const worker of this.#workers.keys()) if (worker.ready) return Promise.resolve();
    if (this.#starting === undefined) {
      this.#starting = Promise.withResolvers();
      this.#keepAlive(true);
      if (this.#workers.size === 0) this.#startOne();
    }
    return this.#starting.promise;
  }

  add(task: Task, signal?: AbortSignal): void {
    if (this.closed) throw closedError();
    this.#queue.append(task);
    if (signal !== undefined) this.#signals.watch(task, signal);
    if (this.#unsettled++ === 0) this.#keepAlive(true);
    if (this.#scheduled) return;
    // What is added in one go is dealt out together: also what `map()` reads, an item for each result
    // that its consumer takes. A message of one item costs more than many an item.
    this.#scheduled = true;
    atEndOfTurn(() => this.#dispatch());
  }

  /** Rejects a task, wherever it is. */
  withdraw(task: Task, reason: unknown): void {
    if (task.settled) return;
    if (task.queued) this.#queue.remove(task);
    const { worker } = task;
    this.#reject(task, reason);
    worker?.abandon(task);
    // Others may be waiting for the room.
    if (this.#queue.size > 0 && !this.#scheduled) {
      this.#scheduled = true;
      atEndOfTurn(() => this.#dispatch());
    }
  }

  /** Takes no more; once everything is settled, ends the workers. */
  close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    if (this.#unsettled === 0) this.#end();
    return this.#closing.promise;
  }

  /** Takes no more, rejects everything, and ends the workers at once. */
  abort(reason: unknown): void {
    this.#closing ??= Promise.withResolvers();
    this.#rejectAll(reason);
    this.#end();
  }

  ready(): void {
    this.#starting?.resolve();
    this.#starting = undefined;
    if (this.#unsettled === 0) this.#keepAlive(false);
    this.#dispatch();
  }

  answered(
    worker: PoolWorker,
    { results, failures, computed, ms, spans }: Answers,
    tasks: readonly (Task | undefined)[],
  ): void {
    const number = this.#workers.get(worker);
    const failed = failures.length === 0 ? undefined : new Map(failures);
    for (let i = 0; i < tasks.length; i++) {
      const task = tasks[i];
      if (task === undefined || task.settled) continue;
      task.worker = undefined;
      const failure = failed?.get(i);
      const span = spans?.[i];
      if (failure !== undefined) this.#fail(task, failure);
      else {
        if (span !== undefined) this.#tell(results[i], number ?? 0, span);
        task.resolve(results[i]);
        this.#settled(task);
      }
    }
    if (computed > 0) this.#measure(ms / computed);
    if (number === undefined || !this.#workers.delete(worker)) return;
    this.#barren = 0;
    this.#workers.set(worker, number);
    this.#dispatch();
  }

  unsendable(task: Task, error: unknown): void {
    const thrown = packThrown(error);
    const why = `it cannot be sent to a worker, which threw ${tellThrown(thrown)}`;
    this.#reject(task, workError(task, "task", why, error));
  }

  overran(worker: PoolWorker, call: readonly Task[]): void {
    const { timeout } = this.#settings;
    const [only] = call;
    if (call.length === 1 && !only.settled) {
      const why = `it took longer than ${timeout} ms`;
      this.#reject(only, workError(only, "timeout", why, undefined));
    } else for (const task of call) task.alone = true;
    this.#workers.delete(worker);
    worker.end();
    const { begun, rest } = worker.empty();
    this.#requeue([...begun, ...rest]);
    this.#dispatch();
  }

  died(worker: PoolWorker, death: Death): void {
    this.#workers.delete(worker);
    worker.end();
    const { begun, rest } = worker.empty();
    if (!worker.ready) this.#notStarted(death);
    else if (begun.length === 0 && rest.length > 0 && ++this.#barren >= MAX_BARREN) {
      this.#requeue(rest);
      this.#notStarted(death);
    } else {
      // If it has begun more than one since its last answer, nobody knows which it died of.
      const [only] = begun;
      if (begun.length === 1 && !only.settled) {
        this.#reject(only, workError(only, "died", death.why, death.cause));
      } else for (const task of begun) task.alone = true;
      this.#requeue([...begun, ...rest]);
    }
    this.#dispatch();
  }

  #fail(task: Task, { reason, thrown }: Failure): void {
    if (reason === "again") {
      task.alone = true;
      return this.#requeue([task]);
    }
    const why = reason === "threw"
      ? `its function threw ${tellThrown(thrown)}`
      : `its result cannot be sent from the worker, which threw ${tellThrown(thrown)}`;
    this.#reject(task, workError(task, reason, why, unpackThrown(thrown)));
  }

  #tell(result: unknown, worker: number, [start, end]: readonly [number, number]): void {
    const { timeOrigin } = performance;
    try {
      this.#onComputed!({ result, worker, start: start - timeOrigin, end: end - timeOrigin });
    } catch (error) {
      // The user's, and not of this task.
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #measure(ms: number): void {
    this.#ms = this.#ms === undefined ? ms : this.#ms + WEIGHT * (ms - this.#ms);
  }

  /** Deals out what is in the queue: first to the idle, then to those with room in their hand. */
  #dispatch(): void {
    this.#scheduled = false;
    for (let first = this.#queue.first; first !== undefined; first = this.#queue.first) {
      const worker = this.#leastLoaded(first.alone);
      if (worker === undefined || worker.load > 0) {
        const starting = this.#startMissing();
        // Nobody gets more in hand while it is not enough for the idle workers that are about to come.
        if (worker === undefined || this.#queue.size <= starting * this.#groupOf(worker)) break;
      }
      let rivals = 0;
      for (const { ready, load } of this.#workers.keys()) {
        if (!ready || load <= worker.load) rivals++;
      }
      const share = Math.ceil(this.#queue.size / rivals);
      worker.give(this.#queue.take(Math.min(share, this.#groupOf(worker))));
    }
    if (this.#unsettled > 0) this.#balance(LEAST_MS);
  }

  /** Among equals, the one that has not answered for the longest time will be free first. */
  #leastLoaded(idle: boolean): PoolWorker | undefined {
    let least: PoolWorker | undefined;
    for (const worker of this.#workers.keys()) {
      const most = idle ? 0 : Math.min(this.#groupOf(worker), worker.room - 1);
      if (!worker.ready || worker.exclusive || worker.load > most) continue;
      if (least === undefined || worker.load < least.load) least = worker;
    }
    return least;
  }

  #groupOf({ atOnce, room }: PoolWorker): number {
    const byTime = this.#ms === undefined ? 1 : Math.floor(GROUP_MS / this.#ms);
    const least = atOnce === Infinity ? 1 : atOnce;
    return Math.min(Math.max(byTime, least), MAX_GROUP, Math.max(1, room));
  }

  /**
   * Has idle workers do what others have not begun, if it is worth so many milliseconds. What is not
   * may be behind something that takes long: then it is done a little later.
   */
  #balance(least: number): void {
    if (this.#queue.size > 0) return;
    for (const idle of [...this.#workers.keys()]) {
      if (!idle.ready || idle.load > 0) continue;
      let busiest: PoolWorker | undefined;
      for (const worker of this.#workers.keys()) {
        if (worker.load > (busiest?.load ?? 1)) busiest = worker;
      }
      if (busiest === undefined) return;
      const count = Math.floor(busiest.load / 2);
      if (count * (this.#ms ?? Infinity) < least) {
        this.#balanceTimer ??= setTimeout(() => {
          this.#balanceTimer = undefined;
          this.#balance(0);
        }, GROUP_MS);
        return;
      }
      const tasks = busiest.takeBackLast(count);
      if (tasks.length === 0) return;
      idle.give(tasks);
    }
  }

  /** Starts as many workers as there is work for, and tells how many are about to come. */
  #startMissing(): number {
    let starting = 0;
    for (const worker of this.#workers.keys()) if (!worker.ready) starting++;
    for (; starting < this.#queue.size && this.#workers.size < this.#limit; starting++) {
      if (!this.#startOne()) return starting;
    }
    return starting;
  }

  #startOne(): boolean {
    try {
      const worker = new PoolWorker(this.#settings, this);
      this.#workers.set(worker, this.#started++);
      this.#ending.add(worker.ended);
      worker.ended.then(() => this.#ending.delete(worker.ended));
      return true;
    } catch (cause) {
      this.#notStarted({ why: tellThrown(packThrown(cause)), cause });
      return false;
    }
  }

  /** Goes on with the others; if there is none, nobody waits for a worker that will not come. */
  #notStarted({ why, cause }: Death): void {
    this.#limit = this.#workers.size;
    if (this.#limit > 0) return;
    this.#limit = this.#max;
    this.#barren = 0;
    const message = `Cannot compute anything as no worker could be started: ${why}`;
    const error = new WorkerStartError(message, { cause });
    this.#rejectAll(error);
    this.#starting?.reject(error);
    this.#starting = undefined;
  }

  /** Puts tasks back to the head of the queue. */
  #requeue(tasks: readonly Task[]): void {
    const unsettled = tasks.filter(({ settled }) => !settled);
    if (unsettled.length > 0) this.#queue.prepend(unsettled);
  }

  #rejectAll(reason: unknown): void {
    const tasks = this.#queue.clear();
    for (const worker of this.#workers.keys()) {
      const { begun, rest } = worker.empty();
      tasks.unshift(...begun, ...rest);
    }
    for (const task of tasks) if (!task.settled) this.#reject(task, reason);
  }

  #reject(task: Task, reason: unknown): void {
    task.reject(reason);
    this.#settled(task);
  }

  #settled(task: Task): void {
    if (task.signal !== undefined) this.#signals.forget(task);
    if (--this.#unsettled > 0) return;
    clearTimeout(this.#balanceTimer);
    this.#balanceTimer = undefined;
    this.#limit = this.#max;
    this.#keepAlive(false);
    if (this.closed) this.#end();
  }

  #keepAlive(alive: boolean): void {
    for (const worker of this.#workers.keys()) worker.keepAlive(alive);
  }

  async #end(): Promise<void> {
    for (const worker of this.#workers.keys()) worker.end();
    this.#workers.clear();
    this.#starting?.reject(closedError());
    this.#starting = undefined;
    await Promise.all(this.#ending);
    this.#closing!.resolve();
  }
}

function closedError(): PoolClosedError {
  return new PoolClosedError("Cannot compute anything as the pool is closed");
}

function workError(
  { item }: Task,
  reason: WorkFailure,
  why: string,
  cause: unknown,
): WorkError {
  const options = cause === undefined ? {} : { cause };
  return new WorkError(`Cannot compute an item as ${why}`, { item, reason, ...options });
}
