/**
 * Save the results of CPU-bound work to PostgreSQL in small asynchronous bursts, so that neither the
 * processor nor the database ever waits for the other.
 *
 * {@linkcode AsyncBatcher} collects items and sends them in batches, several at a time, while the
 * program goes on; {@linkcode postgresWriter} is a sink for it, a table in PostgreSQL, and any
 * function that sends an array will do. {@linkcode hashPassword} and its relatives are the work.
 *
 * @example Hash on this thread, save in bursts
 * ```ts
 * import { AsyncBatcher, hashPassword } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const table = new Map<number, string>();
 * const batcher = new AsyncBatcher<{ id: number; hash: string }>(async (rows) => {
 *   for (const { id, hash } of rows) table.set(id, hash); // or an INSERT, a POST, …
 * });
 *
 * for (const [id, password] of ["swordfish", "12345", "mellon"].entries()) {
 *   await batcher.push({ id, hash: await hashPassword(password, { cost: 4 }) });
 * }
 * const { saved, failures = [] } = await batcher.close();
 * assertEquals([saved, failures.length, table.size], [3, 0, 3]);
 * ```
 *
 * @module
 */
export * from "./batcher.ts";
export * from "./hash_pool.ts";
export * from "./postgres.ts";
export * from "./workload.ts";
