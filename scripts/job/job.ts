import { stripVTControlCharacters } from "node:util";
import { type BatchReport, UnknownOutcomeError } from "../../batcher.ts";
import { WorkerStartError } from "../../pool.ts";
import { type ComputeContext, type PipelineOptions, runPipeline } from "../../pipeline.ts";
import { settled } from "../cli/account.ts";
import { print } from "../cli/print.ts";
import { printable } from "../cli/printable.ts";
import { ScriptError } from "../cli/run.ts";
import type { Database } from "../database/connect.ts";
import type { Input } from "../input/input.ts";
import { openRejects, tellRejects } from "../input/rejects.ts";
import { type BrokenRow, usable } from "../input/row.ts";
import type { OnConflict } from "../table/conflict.ts";
import { fromSpan, inSpan, tracedSink } from "../telemetry/telemetry.ts";
import { JobProgress } from "./progress.ts";
import { type JobResult, jsonReport, textReport, type Work } from "./report.ts";

/** A row of the input that can be worked on. */
export interface Item {
  readonly line: number;
  readonly id: unknown;
}

/** Called by whoever reads the input. */
export interface ReadHooks {
  readonly onRows: (count: number) => void;
  readonly onNote: (sentence: string) => void;
}

/** Options of {@linkcode runJob}. */
export interface JobOptions<T extends Item, Row> {
  readonly input: Input;
  readonly work: Work;
  read(signal: AbortSignal, hooks: ReadHooks): AsyncIterable<T | BrokenRow>;
  compute(item: T, context: ComputeContext): Promise<Row | null>;
  /** Where rows go, and where ids are looked up; a dry run has neither. */
  readonly table?: (
    hooks: { onSave: (report: BatchReport) => void; onNote: (sentence: string) => void },
  ) => Pick<PipelineOptions<T, Row>, "sink" | "lookup">;
  readonly onConflict: OnConflict;
  /** Why a row is rejected, with nothing of it. */
  reason(error: unknown, row: Row | undefined): string;
  /** The file for rejected rows. */
  readonly rejects: string | undefined;
  /** Threads that compute. */
  readonly workers: number;
  readonly signal: AbortSignal;
}

/**
 * Rows on their way, waiting for a worker or for the answer of the database: so many, and so many
 * more for each worker. It is what the workers hash at cost 4 while a row is saved. More would hold
 * rows, and their passwords, for longer than the garbage collector likes.
 */
const ROWS = 500;
const ROWS_PER_WORKER = 250;

/** Milliseconds that rows which are computed may take to be saved after Ctrl-C. */
const LAST_SAVES = 10_000;

/** Nothing is there, not even twice in the input, and everything can be saved. */
const DRY_RUN = { sink: async () => {} };

/** Computes something for every row of a file, and saves it in a table. */
export async function runJob<T extends Item, Row>(options: JobOptions<T, Row>): Promise<JobResult> {
  const { input, work, table, onConflict, rejects: rejectsPath, workers, signal } = options;
  const counts = { done: 0, computed: 0 };
  using progress = new JobProgress(counts, { input, unit: work.plural });
  const onNote = (sentence: string) => progress.say(sentence);
  using rejects = rejectsPath === undefined ? tellRejects(onNote) : openRejects(rejectsPath);
  const to = table?.({ onNote, onSave: ({ duration }) => progress.noteResponse(duration) });
  const start = performance.now();
  const { account, failure } = await settled(runPipeline(
    (signal: AbortSignal) =>
      options.read(signal, {
        // What is read ends anywhere once it is to stop, and that says nothing of the input.
        onNote: (sentence) => signal.aborted || onNote(sentence),
        onRows: (rows) => progress.noteRows(rows),
      }),
    {
      ...to === undefined ? DRY_RUN : {
        key: (item) => usable(item).id,
        ...to,
        sink: tracedSink(to.sink),
      },
      onExisting: onConflict === "skip" ? "skip" : "compute",
      async compute(item, context) {
        const one = usable(item);
        if (context.exists && onConflict === "error") throw new Error("its id is there already");
        const row = await inSpan(
          work.singular,
          async () => fromSpan(await options.compute(one, context)),
        );
        counts.computed++;
        return row;
      },
      onEnd({ line }, { outcome, row, error }) {
        counts.done++;
        if (outcome === "rejected") rejects.write(line, options.reason(error, row));
      },
      maxPending: ROWS + ROWS_PER_WORKER * workers,
      gracePeriod: LAST_SAVES,
      signal,
    },
  ));
  return {
    account,
    computed: counts.computed,
    seconds: (performance.now() - start) / 1000,
    dryRun: table === undefined,
    complete: failure === undefined && !signal.aborted,
    failure,
  };
}

/**
 * Prints what a job ends with.
 *
 * @throws {ScriptError} If it could not do all of its work.
 */
export async function reportJob(
  running: Promise<JobResult>,
  { work, json, database, signal }: {
    work: Work;
    json: boolean;
    database: Database | undefined;
    signal: AbortSignal;
  },
): Promise<void> {
  try {
    const result = await running;
    const { account, failure } = result;
    if (account.read > 0 || failure === undefined) {
      print((json ? jsonReport : textReport)(result, work));
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

/** A sentence for the user, where the error is not a mistake in the program. */
function explain(error: unknown, database: Database | undefined): unknown {
  if (error instanceof UnknownOutcomeError) {
    const why = explain(error.cause, database);
    return why instanceof ScriptError ? why : new ScriptError(error.message);
  }
  if (error instanceof WorkerStartError) return new ScriptError(inOneLine(error.message));
  return database === undefined ? error : database.explain(error);
}

/** What a module throws may have code in it, over several lines, in colours, and be long. */
export function inOneLine(text: string): string {
  return printable(stripVTControlCharacters(text).trim().replaceAll(/\s*\n\s*/g, " "), 1_000);
}
