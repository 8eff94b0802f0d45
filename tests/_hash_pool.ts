import { HashPool, type HashPoolOptions } from "../hash_pool.ts";
import { FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";

export function fakePool(options: HashPoolOptions = {}): { pool: HashPool; workers: FakeWorkers } {
  const workers = new FakeWorkers();
  const pool = new HashPool({ workers: 2, cost: 4, createWorker: workers.create, ...options });
  return { pool, workers };
}

/** Hashes so many passwords, named by their numbers, and says so where nobody awaits them. */
export function hashMany(pool: HashPool, count: number, signal?: AbortSignal): Promise<string>[] {
  const hashes = Array.from({ length: count }, (_, i) => pool.hash(String(i), { signal }));
  for (const hash of hashes) hash.catch(() => {});
  return hashes;
}
