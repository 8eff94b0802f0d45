/**
 * Run CPU-bound work on every core and save the results to PostgreSQL in small asynchronous batches,
 * so that neither the processor nor the database waits for the other.
 *
 * {@linkcode HashPool} hashes passwords on every core. {@linkcode AsyncBatcher} collects items and
 * sends them in batches, several at a time, while the program goes on. {@linkcode postgresWriter} is
 * a sink for it, a table in PostgreSQL; any function that sends an array will do.
 *
 * @example Hash on every core, save in batches
 * ```ts
 * import { AsyncBatcher, HashPool } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const table = new Map<number, string>();
 * const batcher = new AsyncBatcher<{ id: number; hash: string }>(async (rows) => {
 *   // or an INSERT, a POST, a message
 *   for (const { id, hash } of rows) table.set(id, hash);
 * });
 *
 * await using pool = new HashPool({ cost: 4 });
 * const passwords = ["swordfish", "12345", "mellon"];
 * const users = passwords.map((password, id) => ({ id, password }));
 * for await (const { item, hash } of pool.map(users, (user) => user.password)) {
 *   await batcher.push({ id: item.id, hash });
 * }
 * const { saved, failures = [] } = await batcher.close();
 * assertEquals([saved, failures.length, table.size], [3, 0, 3]);
 * ```
 *
 * @module
 */
export * from "./batcher.ts";
export * from "./hash_pool.ts";
export * from "./pipeline.ts";
export * from "./pool.ts";
export * from "./postgres.ts";
export * from "./workload.ts";
