import { join } from "node:path";
import type { Sql } from "postgres";
import { type HashEngine, HashPool } from "../../hash_pool.ts";
import { type PostgresWriter, postgresWriter } from "../../postgres.ts";
import { hashPasswordSync } from "../../workload.ts";
import type { Database } from "../database/connect.ts";
import { openWires, probe, type Wire, type WireReport } from "./latency/wire.ts";
import type { Mode } from "./modes.ts";
import { PoolClock } from "./pool_clock.ts";
import { insertRow, type Run, runMode } from "./run.ts";
import { fileRows, tableRows, verifyRun } from "./verify.ts";

/** What is to be measured. */
export interface Plan {
  readonly modes: readonly Mode[];
  readonly workloads: readonly Workload[];
  /** Round-trip times to add, in milliseconds. */
  readonly latencies: readonly number[];
  readonly repeat: number;
  readonly batchSize: number;
  /** Workers of the pool. */
  readonly workers: number;
  /** What it hashes with; by default, `"auto"`. */
  readonly engine?: HashEngine;
}

/** Passwords, and the cost to hash them at. */
export interface Workload {
  readonly cost: number;
  readonly passwords: readonly string[];
}

/** All runs of one mode at one cost and latency. */
export interface Measurement {
  readonly mode: Mode;
  readonly cost: number;
  readonly latencyMs: number;
  readonly count: number;
  readonly runs: Run[];
  /** Rows counted after a run: the same after each, or the benchmark fails. */
  rowsSaved: number;
}

/** Everything that was measured. */
export interface Measurements {
  readonly wires: readonly WireReport[];
  readonly measurements: readonly Measurement[];
}

/** Where the benchmark stands. */
export interface Position {
  readonly mode: Mode;
  readonly cost: number;
  readonly latencyMs: number;
  /** Counted from 1. */
  readonly round: number;
  /** How much of all the work is done, from 0 to 1. */
  readonly fraction: number;
}

/** Connections that postgres.js opens by default. */
const CONNECTIONS = 10;

/** A wire that is ready to be measured over. */
interface Line {
  readonly wire: Wire;
  readonly writer: PostgresWriter;
  readonly report: WireReport;
}

/**
 * Runs every mode at every cost and latency, interleaved, so that what disturbs the machine for a
 * while disturbs all modes alike. After every run the rows are counted and some hashes are verified.
 *
 * @throws {ScriptError} If a run lost or doubled a row, or a hash is not that of its password.
 */
export async function measure(
  database: Database,
  plan: Plan,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (position: Position) => void },
): Promise<Measurements> {
  const { workloads, workers, engine, modes, latencies, repeat, batchSize } = plan;
  const { sql } = database;
  const table = `burst_bench_${crypto.randomUUID().slice(0, 8)}`;
  const folder = await Deno.makeTempDir({ prefix: "burst-bench-" });
  const path = join(folder, "hashes.txt");
  const advance = progressOf(plan, onProgress);

  async function runOnce(
    measurement: Measurement,
    { wire, writer }: Line,
    { passwords, cost }: Workload,
    pools: { pool: HashPool; poolClock: PoolClock },
    round: number,
  ): Promise<void> {
    const { mode } = measurement;
    await sql`truncate ${sql(table)}`;
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    const bench = { passwords, cost, batchSize, sql: wire.sql, table, writer, file, ...pools };
    measurement.runs.push(
      await runMode(mode, bench, () => {
        signal.throwIfAborted();
        advance(measurement, round);
      }),
    );
    if (mode.sink === "none") return;
    const rows = mode.sink === "file" ? await fileRows(path) : await tableRows(sql, table);
    measurement.rowsSaved = await verifyRun(mode, rows, passwords);
  }

  await sql`create table ${sql(table)} (id integer primary key, hash text not null)`;
  let finished = false;
  try {
    await using opened = await openWires(database, latencies);
    const lines: Line[] = [];
    for (const wire of opened.wires) {
      const writer = postgresWriter(wire.sql, { table, columns: ["id", "hash"] });
      await sql`truncate ${sql(table)}`;
      await warmUpLine(wire.sql, table, writer);
      await sql`truncate ${sql(table)}`;
      signal.throwIfAborted();
      const report = await probe(
        wire,
        database,
        (id) => insertRow(wire.sql, table, { id, hash: "" }),
      );
      lines.push({ wire, writer, report });
    }
    for (let i = 0; i < 50; i++) hashPasswordSync("warm up", { cost: 4 });
    const measurements: Measurement[] = [];
    for (const workload of workloads) {
      const { cost, passwords } = workload;
      const blocks = lines.map((line) => ({
        line,
        measurements: modes.map((mode): Measurement => {
          const { latencyMs } = line.wire;
          return { mode, cost, latencyMs, count: passwords.length, runs: [], rowsSaved: 0 };
        }),
      }));
      measurements.push(...blocks.flatMap(({ measurements }) => measurements));
      const poolClock = new PoolClock();
      await using pool = new HashPool({
        workers,
        cost,
        engine,
        onComputed: poolClock.onComputed,
      });
      if (modes.some(({ onPool }) => onPool)) await warmUpPool(pool, cost);
      for (let round = 1; round <= repeat; round++) {
        for (const { line, measurements } of blocks) {
          for (const measurement of measurements) {
            await runOnce(measurement, line, workload, { pool, poolClock }, round);
          }
        }
      }
    }
    finished = true;
    return { wires: lines.map(({ report }) => report), measurements };
  } finally {
    await Deno.remove(folder, { recursive: true });
    await sql`drop table ${sql(table)}`.catch((error) => {
      // What went wrong before tells more.
      if (finished) throw error;
    });
  }
}

/**
 * Every connection is open, and knows both statements: to prepare one takes a round trip more. All
 * are busy at once, so that the driver spreads the statements over them.
 */
async function warmUpLine(sql: Sql, table: string, writer: PostgresWriter): Promise<void> {
  const signal = new AbortController().signal;
  await writer.check();
  const connections = [...Array(CONNECTIONS).keys()];
  await Promise.all(connections.map(() => sql`select pg_sleep(0.02)`));
  await Promise.all(connections.map((id) => insertRow(sql, table, { id, hash: "" })));
  await Promise.all(connections.map((i) => {
    return writer.send([{ id: CONNECTIONS + i, hash: "" }], { id: "", attempt: 1, signal });
  }));
}

/** Its workers run, and have their code compiled: that takes more hashes the cheaper they are. */
async function warmUpPool(pool: HashPool, cost: number): Promise<void> {
  const each = 2 ** Math.max(1, 9 - cost);
  await Promise.all(Array.from({ length: each * pool.workers }, () => pool.hash("warm up")));
}

/** Says how far all the work has come, hash by hash. */
function progressOf(
  { modes, workloads, latencies, repeat, workers }: Plan,
  onProgress: (position: Position) => void,
): (measurement: Measurement, round: number) => void {
  /** About how many milliseconds a hash takes of a run. */
  const weight = ({ name, onPool }: Mode, cost: number, latencyMs: number) =>
    0.08 * 2 ** cost / (onPool ? workers : 1) + (name === "serial" ? latencyMs : 0);
  let total = 0;
  for (const { cost, passwords } of workloads) {
    for (const latencyMs of latencies) {
      for (const mode of modes) total += weight(mode, cost, latencyMs) * passwords.length * repeat;
    }
  }
  let done = 0;
  return ({ mode, cost, latencyMs }, round) => {
    done += weight(mode, cost, latencyMs);
    onProgress({ mode, cost, latencyMs, round, fraction: done / total });
  };
}
