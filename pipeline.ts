/**
 * Compute something for each item of a source and save it: {@linkcode runPipeline} reads only as far
 * ahead as it can compute, skips what is there already, saves in batches, and ends with an exact
 * account. It runs in Deno, Node 22 or later, and Bun.
 *
 * @example From words to their lengths
 * ```ts
 * import { runPipeline } from "@burst/batcher/pipeline";
 * import { assertEquals } from "@std/assert";
 *
 * const table = new Map<string, number>();
 * const account = await runPipeline(["one", "three"], {
 *   compute: (word) => ({ word, length: word.length }),
 *   sink: async (rows) => {
 *     for (const { word, length } of rows) table.set(word, length);
 *   },
 * });
 * assertEquals([account.read, account.inserted, table.size], [2, 2, 2]);
 * ```
 *
 * @module
 */
import {
  checkOptions,
  type ComputeContext,
  type Existing,
  type ItemEnd,
  type ItemOutcome,
  type PipelineAccount,
  type PipelineOptions,
} from "./_internal/pipeline/options.ts";
import type { Source } from "./_internal/pipeline/reader.ts";
import { PipelineRun } from "./_internal/pipeline/run.ts";

export type {
  ComputeContext,
  Existing,
  ItemEnd,
  ItemOutcome,
  PipelineAccount,
  PipelineOptions,
  Source,
};

/**
 * A pipeline could not do all of its work. What was computed before is saved if possible, and the
 * account is exact.
 *
 * @example Find out what was done nevertheless
 * ```ts
 * import { PipelineError, runPipeline } from "@burst/batcher/pipeline";
 * import { assertEquals } from "@std/assert";
 *
 * async function* damaged() {
 *   yield "one";
 *   throw new Error("The disk is gone");
 * }
 * const saved: string[] = [];
 * const error = await runPipeline(damaged(), {
 *   compute: (word) => word.toUpperCase(),
 *   sink: async (words) => void saved.push(...words),
 * }).catch((error) => error);
 * if (!(error instanceof PipelineError)) throw error;
 * assertEquals([error.account.inserted, saved], [1, ["ONE"]]);
 * ```
 */
export class PipelineError extends Error {
  /** What became of the items that were read. */
  readonly account: PipelineAccount;

  /**
   * Constructs an error that carries the account.
   *
   * @param account What became of the items.
   * @param options The cause: what went wrong first.
   */
  constructor(account: PipelineAccount, options: { cause: unknown }) {
    const { cause } = options;
    super(
      `Cannot finish a pipeline: ${cause instanceof Error ? cause.message : String(cause)}`,
      options,
    );
    this.name = "PipelineError";
    this.account = account;
  }
}

/**
 * Reads items, computes their rows, saves those in batches, and accounts for every item.
 *
 * It reads no more than `maxPending` items ahead, so memory stays flat however long the source is.
 * With a look-up it asks which keys are there already, hundreds at a time, and computes the others:
 * run it again, and it does what is missing.
 *
 * @example Hash the passwords of a list on all cores
 * ```ts
 * import { HashPool, runPipeline } from "@burst/batcher";
 * import { assertEquals } from "@std/assert";
 *
 * const users = [
 *   { id: 1, password: "mellon" },
 *   { id: 2, password: "x".repeat(73) },
 * ];
 * const table = new Map<number, string>();
 * await using pool = new HashPool({ cost: 4 });
 * const account = await runPipeline(users, {
 *   compute: async ({ id, password }, { signal }) => ({
 *     id,
 *     hash: await pool.hash(password, { signal }),
 *   }),
 *   sink: async (rows) => rows.forEach(({ id, hash }) => table.set(id, hash)),
 *   onEnd: ({ id }, { outcome, error }) => {
 *     if (outcome === "rejected") console.error(`User ${id}:`, error);
 *   },
 * });
 * assertEquals([account.read, account.inserted, account.rejected], [2, 1, 1]);
 * ```
 *
 * @example Save to a table, and skip what is there
 * ```ts ignore
 * import { HashPool, runPipeline } from "@burst/batcher";
 * import { postgresLookup, postgresWriter } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * const sql = postgres("postgres://localhost/shop");
 * await using pool = new HashPool();
 * const users = [{ id: 1, password: "mellon" }];
 * const account = await runPipeline(users, {
 *   key: (user) => user.id,
 *   lookup: postgresLookup(sql, { table: "users", key: "id" }),
 *   compute: async ({ id, password }, { signal }) => ({
 *     id,
 *     hash: await pool.hash(password, { signal }),
 *   }),
 *   sink: postgresWriter(sql, {
 *     table: "users",
 *     columns: ["id", "hash"],
 *     conflict: { target: ["id"], action: "ignore" },
 *   }),
 * });
 * ```
 *
 * @typeParam T The type of the items.
 * @typeParam Row The type of the rows.
 * @param source The items, or a function that takes a signal, at which the items should end, and
 *   returns them.
 * @param options The options.
 * @returns The account, also if the signal stopped the pipeline.
 * @throws {PipelineError} If the source, the look-up, the sink, `onEnd` or the pool failed for good,
 *   or it is unknown whether some rows were saved.
 * @throws {TypeError} If an option is of the wrong kind, or `lookup` lacks `key`.
 * @throws {RangeError} If a number is out of range.
 */
export async function runPipeline<T, Row>(
  source: Source<T>,
  options: PipelineOptions<T, Row>,
): Promise<PipelineAccount> {
  checkOptions(source, options);
  const { account, failure } = await new PipelineRun(options).run(source);
  if (failure !== undefined) throw new PipelineError(account, { cause: failure.error });
  return account;
}
