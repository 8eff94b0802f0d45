import { type HashEngine, HashPool } from "../../hash_pool.ts";
import { postgresWriter } from "../../postgres.ts";
import { hashPasswordSync, verifyPassword } from "../../workload.ts";
import { ScriptError } from "../cli/run.ts";
import type { Database } from "../database/connect.ts";
import { watchLoopDelay } from "../measure/loop_delay.ts";
import type { Mode, Task } from "./modes.ts";

/** What is to be measured. */
export interface Plan {
  readonly modes: readonly Mode[];
  readonly costs: readonly number[];
  readonly repeat: number;
  readonly batchSize: number;
  /** Workers of the pool. */
  readonly workers: number;
  /** What it hashes with; by default, `"auto"`. */
  readonly engine?: HashEngine;
  readonly passwords: readonly string[];
}

/** What was measured of one mode at one cost, over all its runs. */
export interface Measurement {
  readonly mode: Mode;
  readonly cost: number;
  /** Milliseconds, one for each run. */
  readonly wallMs: number[];
  /** Milliseconds, one for each request of every run. */
  readonly responseMs: number[];
  /** Milliseconds, over every run. */
  readonly loopDelayMs: number[];
  /** Rows counted in the table after a run: the same after each, or the benchmark fails. */
  rowsSaved: number;
}

/** Where the benchmark stands. */
export interface Position {
  readonly mode: Mode;
  readonly cost: number;
  /** Counted from 1. */
  readonly round: number;
  /** How much of all the work is done, from 0 to 1. */
  readonly fraction: number;
}

/** Connections that are opened before anything is measured. */
const CONNECTIONS = 10;
/** Hashes of each run that are verified. */
const SAMPLE = 3;

/**
 * Runs every mode at every cost, interleaved, so that what disturbs the machine for a while disturbs
 * all modes alike. After every run the rows are counted and some hashes are verified.
 *
 * @throws {ScriptError} If a run lost or doubled a row, or a hash is not that of its password.
 */
export async function measure(
  { sql }: Database,
  plan: Plan,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (position: Position) => void },
): Promise<Measurement[]> {
  const { passwords, batchSize, workers, engine, modes, costs, repeat } = plan;
  const table = `burst_bench_${crypto.randomUUID().slice(0, 8)}`;
  const work = costs.reduce((sum, cost) => sum + 2 ** cost, 0) * modes.length * repeat *
    passwords.length;
  let done = 0;

  async function runOnce(
    measurement: Measurement,
    round: number,
    pool: HashPool,
  ): Promise<void> {
    const { mode, cost, wallMs, responseMs, loopDelayMs } = measurement;

    function noteHash(): void {
      signal.throwIfAborted();
      done += 2 ** cost;
      onProgress({ mode, cost, round, fraction: done / work });
    }

    const task: Task = {
      passwords,
      batchSize,
      send,
      pool,
      noteHash,
      hash(password) {
        noteHash();
        return hashPasswordSync(password, { cost });
      },
      async insert({ id, hash }) {
        const start = performance.now();
        await sql`insert into ${sql(table)} (id, hash) values (${id}, ${hash})`;
        responseMs.push(performance.now() - start);
      },
      noteResponse: (ms) => void responseMs.push(ms),
    };
    await sql`truncate ${sql(table)}`;
    const unwatch = watchLoopDelay((delay) => void loopDelayMs.push(delay));
    try {
      const start = performance.now();
      await mode.run(task);
      wallMs.push(performance.now() - start);
    } finally {
      unwatch();
    }
    measurement.rowsSaved = mode.saves ? await verify(mode) : 0;
  }

  async function verify(mode: Mode): Promise<number> {
    const rows = await sql`select id from ${sql(table)}`;
    const ids = new Set(rows.map(({ id }) => id));
    const missing = passwords.findIndex((_, id) => !ids.has(id));
    if (rows.length !== passwords.length || missing !== -1) {
      throw new ScriptError(
        `Cannot trust the mode '${mode.name}' as it saved ${ids.size} different rows of ${passwords.length}, and ${rows.length} in all: the benchmark stops here`,
      );
    }
    const step = Math.max(1, Math.floor(passwords.length / SAMPLE));
    const sample = [...passwords.keys()].filter((id) => id % step === 0).slice(0, SAMPLE);
    for (
      const { id, hash } of await sql`select id, hash from ${sql(table)} where id in ${sql(sample)}`
    ) {
      if (await verifyPassword(passwords[id], hash)) continue;
      throw new ScriptError(
        `Cannot trust the mode '${mode.name}' as row ${id} does not hold the hash of its password: the benchmark stops here`,
      );
    }
    return rows.length;
  }

  await sql`create table ${sql(table)} (id integer primary key, hash text not null)`;
  const send = postgresWriter(sql, { table, columns: ["id", "hash"] });
  let finished = false;
  try {
    // Connections are open, code is compiled and the catalogue is read before anything is measured.
    await send.check();
    await Promise.all(Array.from({ length: CONNECTIONS }, () => sql`select pg_sleep(0.02)`));
    for (let i = 0; i < 50; i++) hashPasswordSync(passwords[0], { cost: 4 });
    const measurements: Measurement[] = [];
    for (const cost of costs) {
      const atCost = modes.map((mode): Measurement => ({
        mode,
        cost,
        wallMs: [],
        responseMs: [],
        loopDelayMs: [],
        rowsSaved: 0,
      }));
      measurements.push(...atCost);
      await using pool = new HashPool({ workers, cost, engine });
      if (modes.some(({ onPool }) => onPool)) await warmUp(pool, cost);
      for (let round = 1; round <= repeat; round++) {
        for (const measurement of atCost) await runOnce(measurement, round, pool);
      }
    }
    finished = true;
    return measurements;
  } finally {
    await sql`drop table ${sql(table)}`.catch((error) => {
      // What went wrong before tells more.
      if (finished) throw error;
    });
  }
}

/** Its workers run, and have their code compiled: that takes more hashes the cheaper they are. */
async function warmUp(pool: HashPool, cost: number): Promise<void> {
  const each = 2 ** Math.max(1, 9 - cost);
  await Promise.all(Array.from({ length: each * pool.workers }, () => pool.hash("warm up")));
}
