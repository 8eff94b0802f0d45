import { atEndOfTurn } from "../shared/event_loop.ts";
import type { JobResult } from "./hash_protocol.ts";
import type { HashRequest, HashTask } from "./hash_task.ts";
import { HashWorkerError } from "./errors.ts";
import { PoolWorker, type WorkerEvents, type WorkerSettings } from "./worker.ts";
import { Entry, Queue } from "./queue.ts";
import { AbortRegistry } from "../shared/abort_registry.ts";

/**
 * Most work in one message to a worker, in rounds of bcrypt and for each of its lanes: as many hashes
 * of cost 8, or 16 times as many of cost 4, about 20 ms. A worker has up to two such groups in hand,
 * so that it has the next one while its answer travels, or while the thread of the pool is busy. With
 * that thread blocked for 15 ms in every 60, groups of one lost 20 % at cost 4, these 3 %, and larger
 * ones no less; and what is in a hand cannot go to a worker that gets free earlier.
 */
const GROUP_ROUNDS = 2 ** 8;

/**
 * Work above which a hash that nobody waits for any more is not carried through, in rounds: that of
 * cost 13, about 0.6 s. A new worker is there in a tenth of that. (One in lanes can be called off.)
 */
const LONG_ROUNDS = 2 ** 13;

/** How a task ends. */
export interface Ending {
  resolve(result: string | boolean): void;
  reject(error: unknown): void;
}

/** Leads the workers of a pool: a queue, and the rule by which they are given what is in it. */
export class HashCrew implements WorkerEvents {
  readonly #max: number;
  readonly #settings: WorkerSettings;
  readonly #queue = new Queue<HashRequest, string | boolean>(Infinity);
  readonly #abortRegistry = new AbortRegistry<HashTask>(
    (task, reason) => this.withdraw(task, reason),
  );
  /** Those that have answered last come last. */
  readonly #workers = new Set<PoolWorker>();
  /** As many workers as can be started: fewer than asked for, once one could not be. */
  #limit: number;
  #unsettled = 0;
  #warned = false;
  #scheduled = false;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(max: number, settings: WorkerSettings) {
    this.#max = this.#limit = max;
    this.#settings = settings;
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

  add(
    { password, hash, rounds }: Pick<HashRequest, "password" | "hash" | "rounds">,
    { resolve, reject }: Ending,
    signal?: AbortSignal,
  ): HashTask {
    const request = { password, hash, rounds, settled: false, retried: false };
    const task: HashTask = new Entry(request, Math.min(rounds, GROUP_ROUNDS), 0, resolve, reject);
    this.#queue.append(task);
    if (signal !== undefined) this.#abortRegistry.watch(task, signal);
    if (this.#unsettled++ === 0) this.#keepAlive(true);
    if (!this.#scheduled) {
      // What is added in one go is dealt out together: also what `map()` reads, an item for each
      // result that its consumer takes. In messages of one, a hash of cost 4 took 2.6 times as long.
      this.#scheduled = true;
      atEndOfTurn(() => this.#dispatch());
    }
    return task;
  }

  /** Rejects a task that is not settled, wherever it is. */
  withdraw(task: HashTask, reason: unknown): void {
    if (task.queued) this.#queue.remove(task);
    else this.#abandon(task);
    this.#reject(task, reason);
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
    this.#dispatch();
  }

  noLanes(_worker: PoolWorker, reason: string): void {
    if (this.#warned) return;
    this.#warned = true;
    console.warn(
      `Hashing with bcryptjs, which takes more than twice as long as the engine "lanes", as ${reason}`,
    );
  }

  answered(worker: PoolWorker, results: readonly (readonly [number, JobResult])[]): void {
    for (const [number, result] of results) {
      const task = worker.take(number);
      if (task === undefined || task.item.settled) continue;
      if (typeof result !== "string" && typeof result !== "boolean") this.#reject(task, result);
      else {
        task.resolve!(result);
        this.#settled(task);
      }
    }
    if (!this.#workers.delete(worker)) return;
    this.#workers.add(worker);
    this.#dispatch();
  }

  died(worker: PoolWorker, cause: unknown): void {
    this.#workers.delete(worker);
    if (worker.ready) this.#bury(worker);
    else {
      this.#requeue([...worker.hand.values()]);
      this.#notStarted(cause);
    }
    this.#dispatch();
  }

  #bury(worker: PoolWorker): void {
    const [first, ...others] = worker.hand.values();
    // The first is what it was working on, unless the answer was still on its way. Then the task that
    // kills workers, if it was that, is among the others, and does not get a third chance.
    const lost = [first, ...others.filter(({ item }) => item.retried)];
    for (const task of lost) {
      if (task === undefined || task.item.settled) continue;
      const what = task.item.hash === undefined ? "hash" : "verify";
      const message = `Cannot ${what} a password as its worker died`;
      this.#reject(task, new HashWorkerError(message, { started: true }));
    }
    for (const { item } of others) item.retried = true;
    this.#requeue(others);
  }

  /** Deals out what is in the queue: first to the idle, then to those with room in their hand. */
  #dispatch(): void {
    this.#scheduled = false;
    while (this.#queue.size > 0) {
      const worker = this.#leastLoaded();
      if (worker === undefined || worker.load > 0) {
        const starting = this.#startMissing();
        // Nobody gets more in hand while it is not enough for the idle workers that are about to come.
        if (worker === undefined || this.#queue.bytes <= starting * groupOf(worker)) return;
      }
      const rivals = [...this.#workers].filter(({ load }) => load <= worker.load).length;
      worker.give(this.#queue.take(Math.ceil(this.#queue.size / rivals), groupOf(worker)));
    }
  }

  /** Among equals, the one that has not answered for the longest time will be free first. */
  #leastLoaded(): PoolWorker | undefined {
    let least: PoolWorker | undefined;
    for (const worker of this.#workers) {
      if (!worker.ready || worker.load > groupOf(worker)) continue;
      if (least === undefined || worker.load < least.load) least = worker;
    }
    return least;
  }

  /** Starts as many workers as there is work for, and tells how many are about to come. */
  #startMissing(): number {
    let starting = 0;
    for (const worker of this.#workers) if (!worker.ready) starting++;
    for (; starting < this.#queue.size && this.#workers.size < this.#limit; starting++) {
      try {
        this.#workers.add(new PoolWorker(this.#settings, this));
      } catch (error) {
        this.#notStarted(error);
        return starting;
      }
    }
    return starting;
  }

  /** Goes on with the others; if there is none, nobody waits for a worker that will not come. */
  #notStarted(cause: unknown): void {
    this.#limit = this.#workers.size;
    if (this.#limit > 0) return;
    this.#limit = this.#max;
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `Cannot hash or verify a password as no worker could be started: ${why}`;
    this.#rejectAll(new HashWorkerError(message, { started: false, cause }));
  }

  /** Leaves a task that a worker has in hand. */
  #abandon(task: HashTask): void {
    for (const worker of this.#workers) {
      if (!worker.hand.has(task.number)) continue;
      const [first, ...others] = worker.hand.values();
      if (task !== first || task.item.rounds < LONG_ROUNDS || this.#isInLane(task, worker)) {
        return worker.skip(task);
      }
      this.#workers.delete(worker);
      worker.end();
      this.#requeue(others);
      return void queueMicrotask(() => this.#dispatch());
    }
  }

  #isInLane({ item: { hash } }: HashTask, { lanes }: PoolWorker): boolean {
    const isBcrypt = hash?.startsWith("$2") ?? this.#settings.settings.algorithm === "bcrypt";
    return isBcrypt && lanes > 1;
  }

  /** Puts tasks back to the head of the queue. */
  #requeue(tasks: readonly HashTask[]): void {
    if (tasks.length === 0) return;
    for (const task of [...tasks, ...this.#queue.clear()]) {
      if (!task.item.settled) this.#queue.append(task);
    }
  }

  #rejectAll(reason: unknown): void {
    const tasks = this.#queue.clear();
    for (const worker of this.#workers) tasks.unshift(...worker.hand.values());
    for (const task of tasks) if (!task.item.settled) this.#reject(task, reason);
  }

  #reject(task: HashTask, reason: unknown): void {
    task.reject!(reason);
    this.#settled(task);
  }

  #settled(task: HashTask): void {
    this.#abortRegistry.forget(task);
    task.item.settled = true;
    task.item.password = "";
    if (--this.#unsettled > 0) return;
    this.#limit = this.#max;
    this.#keepAlive(false);
    if (this.closed) this.#end();
  }

  #keepAlive(alive: boolean): void {
    for (const worker of this.#workers) worker.keepAlive(alive);
  }

  #end(): void {
    for (const worker of this.#workers) worker.end();
    this.#workers.clear();
    this.#closing!.resolve();
  }
}

function groupOf({ lanes }: PoolWorker): number {
  return GROUP_ROUNDS * lanes;
}
