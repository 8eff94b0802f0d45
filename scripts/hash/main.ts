import { HashPool } from "../../hash_pool.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import type { Database } from "../database/connect.ts";
import { databaseFromFlags } from "../database/from_flags.ts";
import { FLAGS, makePlan, type Plan, type Values } from "./plan.ts";
import { type Input, openInput } from "../input/input.ts";
import { checkRejectsPath } from "../input/rejects.ts";
import { eachRow } from "../input/row.ts";
import { readUsers } from "../input/users.ts";
import { reportJob, runJob } from "../job/job.ts";
import type { JobResult } from "../job/report.ts";
import { tableSinks } from "../table/sinks.ts";
import { makeRow, prepareTable, rejectionReason } from "../table/table.ts";

const WORK = {
  singular: "hash",
  plural: "hashes",
  done: "hashed",
  skipped: "their ids were there already",
};

/** With `--hashed`. */
const COPY = { ...WORK, done: "copied" };

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const { INPUT, ...flags } = parseFlags(args, FLAGS, ["INPUT"]);
  const plan = makePlan(INPUT, flags);
  const { json, rejects } = flags;
  if (rejects !== undefined) await checkRejectsPath(rejects, plan.path);
  // A pipe opens when somebody writes to it.
  await using input = await unlessAborted(openInput(plan.path), signal);
  await using database = flags["dry-run"] ? undefined : await databaseFromFlags(flags, signal);
  const running = hashAll(input, plan, { flags, database, signal });
  await reportJob(running, { work: flags.hashed ? COPY : WORK, json, database, signal });
}

async function hashAll(
  input: Input,
  { target, ...reading }: Plan,
  { flags, database, signal }: {
    flags: Values;
    database: Database | undefined;
    signal: AbortSignal;
  },
): Promise<JobResult> {
  const { rejects, "on-conflict": onConflict, workers, cost, engine } = flags;
  if (database !== undefined) {
    const create = flags["create-table"];
    const numbered = reading.format === "lines";
    await unlessAborted(
      prepareTable(database.sql, target, { create, numbered, onConflict }),
      signal,
    );
  }
  await using pool = flags.hashed ? undefined : new HashPool({ workers, cost, engine });
  return await runJob({
    input,
    work: flags.hashed ? COPY : WORK,
    read: (signal, hooks) => eachRow(readUsers(input.chunks(signal), { ...reading, ...hooks })),
    async compute(user, { signal }) {
      try {
        const hash = await pool?.hash(user.password, { signal }) ?? user.password;
        return makeRow(target, { ...user, hash });
      } finally {
        user.password = "";
      }
    },
    table: database && (({ onSave }) => {
      const retryFor = 1_000 * flags["retry-for"];
      return tableSinks(database.sql, target, { onConflict, retryFor, onSave });
    }),
    onConflict,
    reason: (error, row) => rejectionReason(error, row?.[target.hash]),
    rejects,
    workers,
    signal,
  });
}
