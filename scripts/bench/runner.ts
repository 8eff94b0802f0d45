import { join } from "node:path";
import type { Sql } from "postgres";
import type { HashEngine } from "../../hash_pool.ts";
import { type PostgresWriter, postgresWriter } from "../../postgres.ts";
import type { Database } from "../database/connect.ts";
import { ScriptError } from "../cli/run.ts";
import { openWires, probe, type Wire, type WireReport } from "./latency/wire.ts";
import type { Mode } from "./modes.ts";
import { insertRow, type Run, runMode } from "./run.ts";
import { fileRows, tableRows, verifyRun } from "./verify.ts";
import type { OpenWork, Work } from "./work.ts";

/** What is to be measured. */
export interface Plan {
  readonly modes: readonly Mode[];
  /** One, or one for each cost. */
  readonly works: readonly Work[];
  /** Round-trip times to add, in milliseconds. */
  readonly latencies: readonly number[];
  readonly repeat: number;
  readonly batchSize: number;
  /** Workers of the pool. */
  readonly workers: number;
  /** What hashes with bcrypt there; by default, `"auto"`. */
  readonly engine?: HashEngine;
}

/** All runs of one mode at one cost and latency. */
export interface Measurement {
  readonly mode: Mode;
  readonly cost: number | null;
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
  readonly cost: number | null;
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
 * while disturbs all modes alike. After every run the rows are compared with what was computed.
 *
 * @throws {ScriptError} If a run lost, doubled or changed a row, or an item cannot be computed.
 */
export async function measure(
  database: Database,
  plan: Plan,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (position: Position) => void },
): Promise<Measurements> {
  const { works, workers, modes, latencies, repeat, batchSize } = plan;
  const { sql } = database;
  const table = `burst_bench_${crypto.randomUUID().slice(0, 8)}`;
  const folder = await Deno.makeTempDir({ prefix: "burst-bench-" }).catch((error) => {
    throw error instanceof Deno.errors.NotCapable ? error : new ScriptError(
      "Cannot make a folder for temporary files: check TMPDIR, and that its disk has room",
    );
  });
  const path = join(folder, "results.txt");
  const advance = progressOf(plan, onProgress);

  async function runOnce(
    measurement: Measurement,
    { wire, writer }: Line,
    { work, open }: { work: Work; open: OpenWork },
    round: number,
  ): Promise<void> {
    const { mode, count } = measurement;
    await sql`truncate ${sql(table)}`;
    using file = await Deno.open(path, { write: true, create: true, truncate: true });
    const bench = { work: open, count, batchSize, sql: wire.sql, table, writer, file };
    const run = await runMode(mode, bench, () => {
      signal.throwIfAborted();
      advance(work, measurement, round);
    });
    measurement.runs.push(run);
    if (mode.sink === "none") return;
    const rows = mode.sink === "file" ? await fileRows(path) : await tableRows(sql, table);
    measurement.rowsSaved = await verifyRun(mode, rows, {
      count,
      results: run.results,
      work: open,
    });
  }

  await sql`create table ${sql(table)} (id integer primary key, result text not null)`;
  let finished = false;
  try {
    await using opened = await openWires(database, latencies);
    const lines: Line[] = [];
    for (const wire of opened.wires) {
      const writer = postgresWriter(wire.sql, { table, columns: ["id", "result"] });
      await sql`truncate ${sql(table)}`;
      await warmUpLine(wire.sql, { table, writer, signal });
      await sql`truncate ${sql(table)}`;
      signal.throwIfAborted();
      const report = await probe(
        wire,
        database,
        (id) => insertRow(wire.sql, table, { id, result: "" }),
        signal,
      );
      lines.push({ wire, writer, report });
    }
    const measurements: Measurement[] = [];
    for (const work of works) {
      const { cost, count } = work;
      const blocks = lines.map((line) => ({
        line,
        measurements: modes.map((mode): Measurement => {
          const { latencyMs } = line.wire;
          return { mode, cost, latencyMs, count, runs: [], rowsSaved: 0 };
        }),
      }));
      measurements.push(...blocks.flatMap(({ measurements }) => measurements));
      const onPool = modes.some(({ onPool }) => onPool);
      await using open = await work.open({ workers, onPool });
      for (let round = 1; round <= repeat; round++) {
        for (const { line, measurements } of blocks) {
          for (const measurement of measurements) {
            await runOnce(measurement, line, { work, open }, round);
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
async function warmUpLine(
  sql: Sql,
  { table, writer, signal }: { table: string; writer: PostgresWriter; signal: AbortSignal },
): Promise<void> {
  await writer.check();
  signal.throwIfAborted();
  const connections = [...Array(CONNECTIONS).keys()];
  await Promise.all(connections.map(() => sql`select pg_sleep(0.02)`));
  signal.throwIfAborted();
  await Promise.all(connections.map((id) => insertRow(sql, table, { id, result: "" })));
  signal.throwIfAborted();
  await Promise.all(connections.map((i) => {
    return writer.send([{ id: CONNECTIONS + i, result: "" }], { id: "", attempt: 1, signal });
  }));
}

/** Says how far all the work has come, item by item. */
function progressOf(
  { modes, works, latencies, repeat, workers }: Plan,
  onProgress: (position: Position) => void,
): (work: Work, measurement: Measurement, round: number) => void {
  /** About how many milliseconds an item takes of a run. */
  const weight = ({ name, onPool }: Mode, { eachMs }: Work, latencyMs: number) =>
    eachMs / (onPool ? workers : 1) + (name === "serial" ? latencyMs : 0);
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  let total: number | undefined;
  let done = 0;
  return (work, { mode, cost, latencyMs }, round) => {
    // Not earlier: how long a function takes is known only once its work is open.
    total ??= sum(
      works.flatMap((work) =>
        latencies.flatMap((latencyMs) =>
          modes.map((mode) => weight(mode, work, latencyMs) * work.count * repeat)
        )
      ),
    );
    done += weight(mode, work, latencyMs);
    onProgress({ mode, cost, latencyMs, round, fraction: done / total });
  };
}
