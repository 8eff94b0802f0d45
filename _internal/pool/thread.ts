import process from "node:process";
import { getHeapStatistics } from "node:v8";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Board, commonTime } from "./board.ts";
import {
  type Envelope,
  type Failure,
  type FromThread,
  POOL,
  type ThreadData,
  type ToThread,
} from "./protocol.ts";
import { packThrown, tellThrown } from "./thrown.ts";
import { type LoadedWork, loadWork, UnusableWork } from "./work_module.ts";

/** Where this module is: a thread is started with it. Importing it loads it with the pool. */
export const THREAD: string = import.meta.url;

/**
 * Most milliseconds that a result waits for others to be answered with: a quarter of the time that the
 * thread has been busy, within limits. An answer takes some 0.3 ms here, and as much of the other
 * thread.
 */
const LEAST_COMPANY = 5, MOST_COMPANY = 20;

/** Milliseconds between two looks at whether the heap was full. */
const HEAP_CHECK = 250;

/**
 * Computes for a pool. A task in its turn is claimed, computed, and answered together with its
 * neighbours; what the pool has taken back meanwhile is passed over.
 */
class PoolThread {
  readonly #port: MessagePort;
  readonly #work: LoadedWork;
  readonly #board: Board;
  readonly #spans: boolean;
  #waiting: unknown[] = [];
  /** Position of the first of those that wait. */
  #position = 0;
  #answers = new AnswerBuffer();
  /**
   * When the last task ended, in common time: then the next begins. What is done for each counts, as
   * some take only microseconds, and so does reading the clock, which takes a tenth of one or two.
   */
  #now = 0;
  /** Since when it has had no break, in common time. */
  #busySince = 0;
  /** Of the tasks at hand, those which were claimed, and their kind. */
  readonly #claimed: number[] = [];
  #kind: unknown;
  #working = false;
  #ended = false;

  constructor(port: MessagePort, work: LoadedWork, { board, spans }: ThreadData) {
    this.#port = port;
    this.#work = work;
    this.#board = new Board(board);
    this.#spans = spans;
  }

  readonly hear = (message: ToThread): void => {
    if (message.type === "end") this.#ended = true;
    else this.#waiting = this.#waiting.concat(message.tasks);
    if (!this.#working) this.#workOn();
  };

  async #workOn(): Promise<void> {
    this.#working = true;
    const heapCheck = this.#watchHeap();
    let since = commonTime();
    if (since - this.#now > LEAST_COMPANY) this.#busySince = since;
    this.#now = since;
    while (this.#waiting.length > 0) {
      const tasks = this.#waiting;
      this.#waiting = [];
      for (let next = 0; next < tasks.length;) {
        const first = next;
        const before = this.#kind;
        next = this.#claim(tasks, first);
        // Nobody waits for what is of another kind, and may take long.
        if (this.#kind !== before && this.#answers.results.length > 0) await this.#answer();
        const start = this.#now;
        const computing = this.#compute(tasks, first, next);
        if (computing !== undefined) await computing;
        tasks.fill(undefined, first, next);
        this.#position = this.#position + (next - first) | 0;
        const company = Math.max(LEAST_COMPANY, (this.#now - this.#busySince) / 4);
        // The next one may take as long as this one.
        const wait = this.#now - since + (this.#now - start);
        if (wait < Math.min(company, MOST_COMPANY) && next < tasks.length) continue;
        await this.#answer();
        since = this.#now;
      }
    }
    this.#working = false;
    clearInterval(heapCheck);
    if (!this.#ended) return;
    try {
      await this.#work.teardown?.();
    } finally {
      process.exit();
    }
  }

  /**
   * Deno 2.9 tells nobody when the heap is full. It raises the limit, breaks off what runs, without any
   * `finally`, and forgets what was to run next: the thread may never hear a message again. Timers go on.
   */
  #watchHeap(): ReturnType<typeof setInterval> | undefined {
    if (!("Deno" in globalThis)) return undefined;
    const { heap_size_limit: limit } = getHeapStatistics();
    return setInterval(() => {
      if (getHeapStatistics().heap_size_limit === limit) return;
      post(this.#port, { type: "outOfMemory" });
    }, HEAP_CHECK);
  }

  /** Claims as many tasks as are computed at once, and returns where they end. */
  #claim(tasks: readonly unknown[], first: number): number {
    const { atOnce } = this.#work;
    const claimed = this.#claimed;
    claimed.length = 0;
    let next = first;
    for (; next < tasks.length && claimed.length < atOnce; next++) {
      const kind = this.#kindOf(tasks[next]);
      if (claimed.length > 0 && kind !== this.#kind) break;
      this.#kind = kind;
      if (this.#board.claim(this.#position + (next - first))) claimed.push(next);
    }
    return next;
  }

  /** A task whose kind cannot be told is computed by itself. */
  #kindOf(task: unknown): unknown {
    const { kindOf } = this.#work;
    if (kindOf === undefined) return undefined;
    try {
      return kindOf(task);
    } catch {
      return {};
    }
  }

  /** Computes what is claimed. */
  #compute(tasks: readonly unknown[], first: number, next: number): Promise<void> | undefined {
    const { results } = this.#answers;
    const claimed = this.#claimed;
    const offset = results.length - first;
    for (let i = first; i < next; i++) results.push(undefined);
    if (claimed.length === 0) return undefined;
    const start = this.#now;
    this.#board.begin(this.#position + (claimed[0] - first), next - claimed[0], start);
    const { isMany } = this.#work;
    let values: unknown;
    try {
      values = this.#work.compute(isMany ? claimed.map((at) => tasks[at]) : tasks[claimed[0]]);
    } catch (error) {
      return this.#fail(error, offset, start);
    }
    if (!(values instanceof Promise)) return this.#finish(values, offset, start);
    return values.then(
      (values) => this.#finish(values, offset, start),
      (error) => this.#fail(error, offset, start),
    );
  }

  #finish(values: unknown, offset: number, start: number): undefined {
    this.#count(offset, start);
    const claimed = this.#claimed;
    if (!this.#work.isMany) this.#keep(claimed[0] + offset, values);
    else for (const [i, at] of claimed.entries()) this.#keep(at + offset, (values as unknown[])[i]);
  }

  #fail(error: unknown, offset: number, start: number): undefined {
    this.#count(offset, start);
    const reason = this.#claimed.length > 1 ? "again" : "threw";
    const failure: Failure = { reason, thrown: packThrown(error) };
    for (const at of this.#claimed) this.#answers.fail(at + offset, failure);
  }

  /** Notes how long it took. */
  #count(offset: number, start: number): void {
    this.#board.end();
    const answers = this.#answers, claimed = this.#claimed;
    const end = this.#now = commonTime();
    answers.ms += end - start;
    answers.computed += claimed.length;
    if (!this.#spans) return;
    const each = (end - start) / claimed.length;
    for (const [i, at] of claimed.entries()) {
      answers.spans[at + offset] = [start + i * each, start + (i + 1) * each];
    }
  }

  #keep(index: number, value: unknown): void {
    const answers = this.#answers;
    try {
      if (this.#work.isMany && value instanceof Error) throw value;
      const { transfer } = this.#work;
      if (transfer !== undefined) answers.transfers[index] = [...transfer(value)];
      answers.results[index] = value;
    } catch (error) {
      answers.fail(index, { reason: "threw", thrown: packThrown(error) });
    }
  }

  /**
   * Tells what has been computed. What it computed may have left an error that nobody caught, such as
   * a rejected promise. That comes to light in the next turn of the event loop, and must be known
   * before the answer is on its way.
   */
  async #answer(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    const answers = this.#answers;
    this.#answers = new AnswerBuffer();
    answers.post(this.#port, this.#spans);
    this.#now = commonTime();
  }
}

/** What has been computed and not yet answered. */
class AnswerBuffer {
  readonly results: unknown[] = [];
  readonly failures: [number, Failure][] = [];
  readonly transfers: (Transferable[] | undefined)[] = [];
  readonly spans: ([number, number] | undefined)[] = [];
  computed = 0;
  ms = 0;

  fail(index: number, failure: Failure): void {
    this.failures.push([index, failure]);
  }

  post(port: MessagePort, withSpans: boolean): void {
    const { results, failures, computed, ms } = this;
    const spans = withSpans ? this.spans : undefined;
    try {
      const answers = { type: "answers", results, failures, computed, ms, spans } as const;
      post(port, answers, this.transfers.flatMap((list) => list ?? []));
    } catch {
      this.#postEach(port, withSpans);
    }
  }

  /** One of the results cannot be cloned: the others can be. */
  #postEach(port: MessagePort, withSpans: boolean): void {
    const failures = new Map(this.failures);
    const part = { type: "answers", computed: 1, ms: this.ms / this.computed } as const;
    for (const [index, result] of this.results.entries()) {
      const failure = failures.get(index);
      const spans = withSpans ? [this.spans[index]] : undefined;
      const failed = (failure: Failure) =>
        post(port, { ...part, spans, results: [undefined], failures: [[0, failure]] });
      if (failure !== undefined) {
        failed(failure);
        continue;
      }
      try {
        const answers = { ...part, spans, results: [result], failures: [] };
        post(port, answers, this.transfers[index]);
      } catch (error) {
        failed({ reason: "result", thrown: packThrown(error) });
      }
    }
  }
}

function post(
  port: MessagePort,
  message: FromThread,
  transfer: readonly Transferable[] = [],
): void {
  port.postMessage({ [POOL]: message } satisfies Envelope, transfer as never);
}

async function serve(port: MessagePort, data: ThreadData): Promise<void> {
  // What is computed may be anything; it comes to the pool as an error of the task at hand.
  for (const event of ["unhandledRejection", "uncaughtException"]) {
    process.on(event, (error: unknown) => {
      post(port, { type: "stray", thrown: packThrown(error) });
    });
  }
  letItselfBeEnded();
  // In Node, a module can close the port. Then nothing can be answered.
  port.on("close", () => process.exit());
  try {
    const work = await loadWork(data);
    // A promise that the module rejected and nobody holds comes to light in the next turn.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const thread = new PoolThread(port, work, data);
    data.tasks.on("message", thread.hear);
    const teardown = work.teardown !== undefined;
    post(port, { type: "ready", atOnce: work.atOnce, teardown });
  } catch (error) {
    const why = error instanceof UnusableWork ? error.message : undefined;
    const thrown = why === undefined ? packThrown(error) : undefined;
    post(port, {
      type: "unusable",
      why: why ?? `the module or its setup() threw ${tellThrown(thrown!)}`,
      thrown,
    });
  }
}

/**
 * In Deno 2.9, `terminate()` does not end a thread that is busy, unless the thread holds a Web Lock:
 * a loop without end went on with 46 % of a core, and with a lock it was ended in a millisecond, as
 * was a thread in `Atomics.wait()`. Node and Bun end either.
 */
function letItselfBeEnded(): void {
  if (!("Deno" in globalThis)) return;
  const name = `burst-work-pool-${crypto.randomUUID()}`;
  const { locks } = navigator as unknown as {
    locks: { request(name: string, callback: () => Promise<never>): Promise<never> };
  };
  locks.request(name, () => new Promise(() => {})).catch(() => {});
}

// In a thread of a pool, this module is the program. Everywhere else it does nothing.
const data = workerData as ThreadData | null | undefined;
if (parentPort !== null && data?.type === POOL) serve(parentPort, data);
