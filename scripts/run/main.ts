import { WorkPool } from "../../pool.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import type { Database } from "../database/connect.ts";
import { databaseFromFlags } from "../database/from_flags.ts";
import { type Input, openInput } from "../input/input.ts";
import { checkRejectsPath } from "../input/rejects.ts";
import { eachRow } from "../input/row.ts";
import { inOneLine, reportJob, runJob } from "../job/job.ts";
import type { JobResult } from "../job/report.ts";
import { readItems } from "./items.ts";
import { FLAGS, makePlan, type Plan, type Values } from "./plan.ts";
import { findTable, resultSinks, rowMaker } from "./results.ts";
import { createWorker } from "./worker.ts";

const WORK = {
  singular: "result",
  plural: "results",
  done: "computed",
  skipped: "there already, or nothing to save",
};

/** How many results a dry run prints. */
const SHOWN = 5;

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { WORK: work, INPUT, ...flags } = parseFlags(args, FLAGS, ["WORK", "INPUT"]);
  const plan = makePlan(work, INPUT, flags);
  const { json, rejects } = flags;
  if (rejects !== undefined) await checkRejectsPath(rejects, plan.path);
  // A pipe opens when somebody writes to it.
  await using input = await unlessAborted(openInput(plan.path), signal);
  await using database = flags["dry-run"] ? undefined : await databaseFromFlags(flags, signal);
  const running = computeAll(input, plan, { flags, database, signal });
  await reportJob(running, { work: WORK, json, database, signal });
}

async function computeAll(
  input: Input,
  { module, table, id, ...reading }: Plan,
  { flags, database, signal }: {
    flags: Values;
    database: Database | undefined;
    signal: AbortSignal;
  },
): Promise<JobResult> {
  const { workers, timeout, rejects, json, "on-conflict": onConflict, "create-table": create } =
    flags;
  await using pool = new WorkPool<{ default(row: Record<string, unknown>): unknown }>(module, {
    workers,
    timeout: timeout && 1_000 * timeout,
    createWorker,
  });
  // What is wrong with the module is told before anything is read.
  await pool.start();
  const known = database && await findTable(database.sql, { table, id, create, onConflict });
  const makeRow = rowMaker(id, known);
  let shown = 0;
  let unprinted: unknown;
  const result = await runJob({
    input,
    work: WORK,
    read: (signal, hooks) =>
      eachRow(readItems(input.chunks(signal), { ...reading, ...hooks, columns: { id } })),
    async compute(item, { signal }) {
      const { row } = item;
      item.row = undefined;
      // What is printed is what the function has returned.
      const csv = database && reading.format === "csv" ? row : undefined;
      const result = makeRow(item.id, await pool.run(row!, { signal }), csv);
      if (database === undefined && !json && result !== null && shown++ < SHOWN) {
        try {
          print(result);
        } catch (error) {
          unprinted ??= error;
        }
      }
      return result;
    },
    table: database && (({ onSave, onNote }) => {
      const retryFor = 1_000 * flags["retry-for"];
      return resultSinks(database.sql, { table, id, known, onConflict, retryFor, onSave, onNote });
    }),
    onConflict,
    reason: (error) => inOneLine((error as Error).message),
    rejects,
    workers,
    signal,
  });
  if (unprinted !== undefined) throw unprinted;
  return result;
}
