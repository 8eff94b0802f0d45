import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

/** A pool that has started. */
export interface RunningPool {
  /** Computes one item. */
  run(turns: number): Promise<unknown>;
}

/** A pool, set up as its documentation recommends. */
export interface PoolPeer {
  readonly name: string;
  /** How it is set up, for the reader of the table. */
  readonly setup: string;
  readonly runtimes: readonly ("deno" | "node")[];
  start(workers: number): Promise<RunningPool>;
}

const both = ["deno", "node"] as const;

function file(name: string): URL {
  return new URL(name, import.meta.url);
}

/** All that are compared. What only one of them needs is loaded by that one. */
export const POOLS: readonly PoolPeer[] = [
  {
    name: "Burst",
    setup: "`WorkPool` with its defaults, `run()` for each item",
    runtimes: both,
    async start(workers) {
      const { WorkPool } = await import("../../../pool.ts");
      const pool = new WorkPool<typeof import("./spin.ts")>(file("spin.ts"), { workers });
      return { run: (turns) => pool.run(turns) };
    },
  },
  {
    name: "piscina",
    setup: "`minThreads` and `maxThreads` as many as there are cores",
    runtimes: both,
    async start(workers) {
      const { Piscina } = await import("piscina");
      const pool = new Piscina({
        filename: file("spin.ts").href,
        minThreads: workers,
        maxThreads: workers,
      });
      return { run: (turns) => pool.run(turns) };
    },
  },
  {
    name: "tinypool",
    setup: "the same",
    runtimes: both,
    async start(workers) {
      const { Tinypool } = await import("tinypool");
      const pool = new Tinypool({
        filename: file("spin.ts").href,
        minThreads: workers,
        maxThreads: workers,
      });
      return { run: (turns) => pool.run(turns) };
    },
  },
  {
    name: "workerpool",
    setup: '`workerType: "thread"`, `minWorkers` and `maxWorkers` as many as there are cores',
    runtimes: both,
    async start(workers) {
      const { default: workerpool } = await import("workerpool");
      const pool = workerpool.pool(fileURLToPath(file("spin_workerpool.ts")), {
        workerType: "thread",
        minWorkers: workers,
        maxWorkers: workers,
      });
      return { run: async (turns) => await pool.exec("spin", [turns]) };
    },
  },
  {
    name: "poolifier-web-worker",
    setup: "`FixedThreadPool`",
    runtimes: ["deno"],
    async start(workers) {
      const { FixedThreadPool } = await import("poolifier-web-worker");
      const pool = new FixedThreadPool<number, number>(workers, file("spin_poolifier.ts"));
      return { run: (turns) => pool.execute(turns) };
    },
  },
  {
    name: "by hand",
    setup: "`node:worker_threads`: one item to the thread that has answered, one in its hand",
    runtimes: both,
    // deno-lint-ignore require-await
    async start(workers) {
      const idle = startThreads(workers);
      const waiting: { turns: number; resolve: (result: unknown) => void }[] = [];
      let head = 0;
      function give(): void {
        while (idle.length > 0 && head < waiting.length) {
          const thread = idle.pop()!;
          const { turns, resolve } = waiting[head++];
          if (head === waiting.length) waiting.length = head = 0;
          thread.once("message", (result) => {
            resolve(result);
            idle.push(thread);
            give();
          });
          thread.postMessage({ turns, count: 1 });
        }
      }
      return {
        run: (turns) =>
          new Promise((resolve) => {
            waiting.push({ turns, resolve });
            give();
          }),
      };
    },
  },
];

/** Starts threads that compute what they are told to. */
export function startThreads(workers: number): Worker[] {
  return Array.from({ length: workers }, () => new Worker(file("spin_threads.ts")));
}
