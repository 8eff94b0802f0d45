import process from "node:process";
import type { Sql } from "postgres";
import type { HashPool } from "../../hash_pool.ts";
import type { PostgresWriter } from "../../postgres.ts";
import { hashPasswordSync } from "../../workload.ts";
import { watchLoopDelay } from "../measure/loop_delay.ts";
import type { Mode, Saved, Task } from "./modes.ts";
import type { PoolClock } from "./pool_clock.ts";
import { Timeline } from "./timeline.ts";

/** What a run works with. */
export interface Bench {
  readonly passwords: readonly string[];
  readonly cost: number;
  readonly batchSize: number;
  readonly sql: Sql;
  readonly table: string;
  /** Writes to that table. */
  readonly writer: PostgresWriter;
  readonly pool: HashPool;
  readonly poolClock: PoolClock;
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
}

/**
 * Runs a mode once.
 *
 * @param onHash Called for each hash; what it throws ends the run.
 */
export async function runMode(mode: Mode, bench: Bench, onHash: () => void): Promise<Run> {
  const responseMs: number[] = [];
  const timeline = new Timeline(bench.passwords.length);
  const task = makeTask(bench, { timeline, responseMs, onHash });
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
    return { wallMs, start, cpuMs, responseMs, loopDelay, timeline };
  } finally {
    endWatch();
    bench.poolClock.clear();
  }
}

/** Saves one row with an INSERT of its own. */
export async function insertRow(sql: Sql, table: string, { id, hash }: Saved): Promise<void> {
  await sql`insert into ${sql(table)} (id, hash) values (${id}, ${hash})`;
}

interface Notes {
  readonly timeline: Timeline;
  readonly responseMs: number[];
  readonly onHash: () => void;
}

function makeTask(bench: Bench, { timeline, responseMs, onHash }: Notes): Task {
  const { passwords, cost, batchSize, sql, table, writer, pool, poolClock, file } = bench;
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
    count: passwords.length,
    batchSize,
    hash(id) {
      onHash();
      const start = performance.now();
      const hash = hashPasswordSync(passwords[id], { cost });
      timeline.noteHash(id, start, performance.now());
      return hash;
    },
    async *hashOnPool() {
      for await (const { item, hash } of pool.map(passwords.entries(), ([, text]) => text)) {
        onHash();
        const [id] = item;
        const span = poolClock.take(hash);
        if (span !== undefined) timeline.noteHash(id, ...span);
        yield { id, hash };
      }
    },
    insert: (row) => timed([row], () => insertRow(sql, table, row)),
    writer: {
      ...writer,
      send: (rows, batch) => timed(rows as Saved[], () => writer.send(rows, batch)),
    },
    append: (row) =>
      timed([row], async () => {
        const bytes = encoder.encode(`${row.id} ${row.hash}\n`);
        for (let from = 0; from < bytes.length;) from += await file.write(bytes.subarray(from));
      }),
  };
}
