import process from "node:process";
import type { Sql } from "postgres";
import type { PostgresWriter } from "../../postgres.ts";
import { watchLoopDelay } from "../measure/loop_delay.ts";
import type { Mode, Saved, Task } from "./modes.ts";
import { Timeline } from "./timeline.ts";
import type { OpenWork } from "./work.ts";

/** What a run works with. */
export interface Bench {
  readonly work: OpenWork;
  /** How many items there are. */
  readonly count: number;
  readonly batchSize: number;
  readonly sql: Sql;
  readonly table: string;
  /** Writes to that table. */
  readonly writer: PostgresWriter;
  /** Where the mode that saves to a file does. */
  readonly file: Deno.FsFile;
}

/** How late the event loop was. */
export interface LoopDelay {
  /** When it was looked at, in milliseconds of a monotonic clock. */
  readonly at: readonly number[];
  /** By how many milliseconds a timer fired late then. */
  readonly delays: readonly number[];
}

/** What was measured in one run of a mode. Times are milliseconds. */
export interface Run {
  readonly wallMs: number;
  /** When it began, on the clock of the other times. */
  readonly start: number;
  /** Processor time of this program, over all its threads. */
  readonly cpuMs: number;
  /** One for each request. */
  readonly responseMs: readonly number[];
  readonly loopDelay: LoopDelay;
  readonly timeline: Timeline;
  /** What was computed, by the numbers of the items. */
  readonly results: readonly string[];
}

/**
 * Runs a mode once.
 *
 * @param onItem Called for each item; what it throws ends the run.
 */
export async function runMode(mode: Mode, bench: Bench, onItem: () => void): Promise<Run> {
  const responseMs: number[] = [];
  const timeline = new Timeline(bench.count);
  const results: string[] = [];
  const task = makeTask(bench, { timeline, responseMs, results, onItem });
  const loopDelay = { at: [] as number[], delays: [] as number[] };
  const endWatch = watchLoopDelay((delay, at) => {
    loopDelay.at.push(at);
    loopDelay.delays.push(delay);
  });
  const cpu = process.cpuUsage();
  const start = performance.now();
  try {
    await mode.run(task);
    const wallMs = performance.now() - start;
    const { user, system } = process.cpuUsage(cpu);
    const cpuMs = (user + system) / 1000;
    endWatch();
    return { wallMs, start, cpuMs, responseMs, loopDelay, timeline, results };
  } finally {
    endWatch();
  }
}

/** Saves one row with an INSERT of its own. */
export async function insertRow(sql: Sql, table: string, { id, result }: Saved): Promise<void> {
  await sql`insert into ${sql(table)} (id, result) values (${id}, ${result})`;
}

interface Notes {
  readonly timeline: Timeline;
  readonly responseMs: number[];
  readonly results: string[];
  readonly onItem: () => void;
}

function makeTask(bench: Bench, { timeline, responseMs, results, onItem }: Notes): Task {
  const { work, count, batchSize, sql, table, writer, file } = bench;
  const encoder = new TextEncoder();

  async function timed<T>(rows: readonly Saved[], save: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const result = await save();
    const end = performance.now();
    responseMs.push(end - start);
    for (const { id } of rows) timeline.noteSave(id, start, end);
    return result;
  }

  return {
    count,
    batchSize,
    async compute(id) {
      onItem();
      const start = performance.now();
      const result = await work.compute(id);
      timeline.noteCompute(id, start, performance.now());
      return results[id] = result;
    },
    async *computeOnPool() {
      for await (const { id, result, span } of work.computeOnPool()) {
        onItem();
        if (span !== undefined) timeline.noteCompute(id, ...span);
        results[id] = result;
        yield { id, result };
      }
    },
    insert: (row) => timed([row], () => insertRow(sql, table, row)),
    writer: {
      ...writer,
      send: (rows, batch) => timed(rows as Saved[], () => writer.send(rows, batch)),
    },
    append: (row) =>
      timed([row], async () => {
        const bytes = encoder.encode(`${row.id} ${row.result}\n`);
        for (let from = 0; from < bytes.length;) from += await file.write(bytes.subarray(from));
      }),
  };
}
