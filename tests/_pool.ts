import { WorkPool, type WorkPoolOptions } from "../pool.ts";
import { FakeWorkers } from "./fixtures/pool_fake_worker.ts";

/** The module of a pool whose workers are fakes. */
export interface FakeModule {
  default(task: unknown): string;
}

export type FakePool = WorkPool<FakeModule>;

/** A pool whose workers answer when the test says. */
export function fakePool(
  options: WorkPoolOptions<FakeModule> = {},
  workers: FakeWorkers = new FakeWorkers(),
): { pool: FakePool; workers: FakeWorkers } {
  const pool = new WorkPool<FakeModule>("data:text/javascript,", {
    workers: 2,
    createWorker: workers.create,
    ...options,
  });
  return { pool, workers };
}

/** Computes so many tasks, which are their numbers, also where nobody awaits them. */
export function runMany(pool: FakePool, count: number, signal?: AbortSignal): Promise<string>[] {
  const results = Array.from({ length: count }, (_, i) => pool.run(i, { signal }));
  for (const result of results) result.catch(() => {});
  return results;
}
