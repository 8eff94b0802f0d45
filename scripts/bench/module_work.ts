import { WorkError, WorkerStartError, WorkPool } from "../../pool.ts";
import { ScriptError } from "../cli/run.ts";
import { divertOutput } from "../run/output.ts";
import { createWorker } from "../run/worker.ts";
import type { Items } from "./items.ts";
import { PoolClock } from "./pool_clock.ts";
import { savableText } from "./savable.ts";
import { type OpenOptions, type OpenWork, type PoolResult, warmUps, type Work } from "./work.ts";

type Fn = (...args: unknown[]) => unknown;

/** What a module may export: see `WorkPool`. */
interface WorkModule {
  readonly default?: Fn;
  readonly setup?: Fn;
  readonly many?: Fn;
  readonly teardown?: Fn;
}

/** Runs the function of a module of the user's. */
export function moduleWork(module: URL, name: string, items: Items): Work {
  let eachMs = 1;
  return {
    subject: { kind: "module", name },
    cost: null,
    count: items.count,
    get eachMs() {
      return eachMs;
    },
    open: (options) =>
      openWork(module, items, options, (measured) => {
        eachMs = measured;
      }),
  };
}

/**
 * Loads a module in a worker, to see whether it can be used.
 *
 * @throws {ScriptError} If it cannot.
 */
export async function checkModule(module: URL): Promise<void> {
  await using pool = new WorkPool(module, { workers: 1, createWorker });
  await pool.start().catch((error) => {
    throw error instanceof WorkerStartError ? new ScriptError(firstLine(error.message)) : error;
  });
  await pool.close();
}

async function openWork(
  module: URL,
  items: Items,
  { workers, onPool }: OpenOptions,
  onMeasured: (eachMs: number) => void,
): Promise<OpenWork> {
  const { count, task, place } = items;
  const restoreOutput = divertOutput();
  const { run, teardown } = await load(module).catch((error) => {
    restoreOutput();
    throw error;
  });
  const clock = new PoolClock();
  const pool = new WorkPool(module, { workers, onComputed: clock.onComputed, createWorker });

  const failed = (id: number, why: string) =>
    new ScriptError(`Cannot compute ${place(id)} as ${why}`);

  async function compute(id: number): Promise<string> {
    let result: unknown;
    try {
      result = await run(task(id));
    } catch (error) {
      throw failed(id, `its function threw ${tell(error)}`);
    }
    return savableText(result, place(id));
  }

  async function* computeOnPool(length = count): AsyncGenerator<PoolResult> {
    const ids = Array.from({ length }, (_, i) => i % count);
    try {
      for await (const { item: id, result } of pool.map(ids, { task })) {
        const span = clock.take(result);
        yield { id, result: savableText(result, place(id)), span };
      }
    } catch (error) {
      if (!(error instanceof WorkError)) throw error;
      throw failed(error.item as number, error.message.replace(/^Cannot .*? as /, ""));
    } finally {
      clock.clear();
    }
  }

  async function dispose(): Promise<void> {
    // What is idle may tear down in peace; what is not, was given up.
    await (pool.size + pool.inFlight === 0 ? pool.close() : pool[Symbol.asyncDispose]());
    try {
      await teardown?.();
    } catch (error) {
      throw new ScriptError(`Cannot end the module as its teardown() threw ${tell(error)}`);
    } finally {
      restoreOutput();
    }
  }

  try {
    const start = performance.now();
    await compute(0);
    const times = warmUps(performance.now() - start);
    const warm = performance.now();
    for (let i = 0; i < times; i++) await compute(i % count);
    const eachMs = Math.max(0.001, (performance.now() - warm) / times);
    onMeasured(eachMs);
    if (onPool) { for await (const _ of computeOnPool(warmUps(eachMs) * workers)); }
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    compute,
    computeOnPool: () => computeOnPool(),
    findWrong: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Loads the module on this thread. A worker has checked what it exports. */
async function load(module: URL): Promise<{ run: Fn; teardown: Fn | undefined }> {
  try {
    const { default: one, many, setup, teardown } = await import(module.href) as WorkModule;
    await setup?.();
    return { run: one ?? aloneIn(many!), teardown };
  } catch (error) {
    throw new ScriptError(`Cannot load the module on the main thread as it threw ${tell(error)}`);
  }
}

/** Calls a function that takes several tasks with one. */
function aloneIn(many: Fn): Fn {
  return async (task) => {
    const [result] = await many([task]) as unknown[];
    if (result instanceof Error) throw result;
    return result;
  };
}

/** What was thrown, in a line. */
function tell(thrown: unknown): string {
  try {
    return firstLine(
      typeof thrown === "string" ? `the text ${JSON.stringify(thrown)}` : String(thrown),
    );
  } catch {
    return "something that cannot be shown";
  }
}

function firstLine(text: string): string {
  return text.split("\n")[0];
}
