/**
 * The job that people have: hashes the passwords of a file on all cores, and saves the hashes to a
 * table in bursts.
 *
 * ```sh
 * deno run -A scripts/hash.ts users.csv --database-url postgres://localhost/shop --create-table
 * ```
 */
import { UnknownOutcomeError } from "../batcher.ts";
import { HashPool, HashWorkerError } from "../hash_pool.ts";
import { runPipeline } from "../pipeline.ts";
import { settled } from "./cli/account.ts";
import { helpText, parseFlags } from "./cli/flags.ts";
import { runScript, ScriptError } from "./cli/run.ts";
import type { Database } from "./database/connect.ts";
import { databaseFromFlags } from "./database/from_flags.ts";
import { FLAGS, makePlan, type Plan, USAGE, type Values } from "./hash/plan.ts";
import { JobProgress } from "./hash/progress.ts";
import { checkRejectsPath, openRejects, tellRejects } from "./input/rejects.ts";
import { type JobResult, jsonReport, textReport } from "./hash/report.ts";
import { type Input, openInput } from "./input/input.ts";
import { eachRow, usable } from "./input/row.ts";
import { readUsers } from "./input/users.ts";
import { tableSinks } from "./table/sinks.ts";
import { makeRow, prepareTable, rejectionReason } from "./table/table.ts";

/**
 * Rows on their way, waiting for a worker or for the answer of the database: so many, and so many
 * more for each worker. It is what the workers hash at cost 4 while a row is saved. More would hold
 * rows, and their passwords, for longer than the garbage collector likes.
 */
const ROWS = 500;
const ROWS_PER_WORKER = 250;

/** Nothing is there, not even twice in the input, and everything can be saved. */
const DRY_RUN = { sink: async () => {} };

export async function main(signal: AbortSignal, args = Deno.args): Promise<void> {
  const { INPUT, ...flags } = parseFlags(args, FLAGS, ["INPUT"]);
  if (flags.help) return console.log(helpText(USAGE, FLAGS));
  const plan = makePlan(INPUT, flags);
  if (flags.rejects !== undefined) await checkRejectsPath(flags.rejects, plan.path);
  await using input = await openInput(plan.path);
  await using database = flags["dry-run"] ? undefined : await databaseFromFlags(flags, signal);
  try {
    const outcome = await work(input, plan, { flags, database, signal });
    const { account, failure } = outcome;
    if (account.read > 0 || failure === undefined) {
      console.log(flags.json ? jsonReport(outcome) : textReport(outcome));
    }
    if (failure !== undefined) throw failure.cause;
    if (account.rejected > 0) Deno.exitCode = 1;
  } catch (error) {
    const explained = explain(error, database);
    // After Ctrl-C nothing that is thrown is shown; but why rows could not be saved should be.
    if (signal.aborted && explained instanceof ScriptError) console.error(explained.message);
    throw explained;
  }
}

async function work(
  input: Input,
  { target, ...reading }: Plan,
  { flags, database, signal }: {
    flags: Values;
    database: Database | undefined;
    signal: AbortSignal;
  },
): Promise<JobResult> {
  const { rejects: rejectsPath, "on-conflict": onConflict, workers, cost, engine } = flags;
  if (database !== undefined) {
    const create = flags["create-table"];
    await prepareTable(database.sql, target, { create, numbered: reading.format === "lines" });
  }
  await using pool = new HashPool({ workers, cost, engine });
  const counts = { done: 0, hashed: 0 };
  using progress = new JobProgress(counts, input);
  using rejects = rejectsPath === undefined
    ? tellRejects((text) => progress.say(text))
    : openRejects(rejectsPath);
  const start = performance.now();
  const { account, failure } = await settled(runPipeline(
    (signal: AbortSignal) =>
      eachRow(readUsers(input.chunks(signal), {
        ...reading,
        onRows: (rows) => progress.noteRows(rows),
        onNote: (sentence) => progress.say(sentence),
      })),
    {
      ...database === undefined ? DRY_RUN : {
        key: (row) => usable(row).id,
        ...tableSinks(database.sql, target, {
          onConflict,
          retryFor: 1_000 * flags["retry-for"],
          onSave: ({ duration }) => progress.noteResponse(duration),
        }),
      },
      onExisting: onConflict === "skip" ? "skip" : "compute",
      async compute(row, { signal, exists }) {
        const user = usable(row);
        if (exists && onConflict === "error") throw new Error("its id is there already");
        try {
          const hash = await pool.hash(user.password, { signal });
          counts.hashed++;
          return makeRow(target, { ...user, hash });
        } finally {
          user.password = "";
        }
      },
      onEnd({ line }, { outcome, row, error }) {
        counts.done++;
        if (outcome === "rejected") rejects.write(line, rejectionReason(error, row?.[target.hash]));
      },
      maxPending: ROWS + ROWS_PER_WORKER * workers,
      signal,
    },
  ));
  return {
    account,
    hashed: counts.hashed,
    seconds: (performance.now() - start) / 1000,
    dryRun: database === undefined,
    complete: failure === undefined && !signal.aborted,
    failure,
  };
}

/** A sentence for the user, where the error is not a mistake in the program. */
function explain(error: unknown, database: Database | undefined): unknown {
  if (error instanceof UnknownOutcomeError) {
    const why = explain(error.cause, database);
    return why instanceof ScriptError ? why : new ScriptError(error.message);
  }
  if (error instanceof HashWorkerError) return new ScriptError(error.message);
  return database === undefined ? error : database.explain(error);
}

if (import.meta.main) await runScript(main);
