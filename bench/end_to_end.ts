/**
 * Computes many rows on every core and saves them to the embedded server, and compares the time with
 * that of computing alone; prints the memory on the way.
 *
 * ```sh
 * deno run -A bench/end_to_end.ts                     # 200,000 rows, three times
 * deno run -A bench/end_to_end.ts --rows 2000000 --repeat 1
 * ```
 */
import process from "node:process";
import type postgres from "postgres";
import { runPipeline } from "../pipeline.ts";
import { WorkPool } from "../pool.ts";
import { postgresWriter } from "../postgres.ts";
import { helpText, integer, toggle } from "../scripts/cli/flags.ts";
import { parseFlags } from "../scripts/cli/parse_flags.ts";
import { grouped } from "../scripts/cli/numbers.ts";
import { runScript, ScriptError } from "../scripts/cli/run.ts";
import { openDatabase } from "../scripts/database/connect.ts";
import { median } from "../scripts/measure/statistics.ts";
import { spinFor } from "./spin_work.ts";

const FLAGS = {
  rows: integer("rows of a run", 200_000),
  micros: integer("what the function takes for a row, in microseconds", 50),
  repeat: integer("runs, in turns with computing alone", 3),
  help: toggle("print this help"),
};

const USAGE = "Compares computing and saving with computing alone, on the embedded server.\n\n" +
  "Usage: deno run -A bench/end_to_end.ts [flags]";

const WORK = new URL("spin_work.ts", import.meta.url);
type Work = typeof import("./spin_work.ts");

/** Seconds by the clock, and of the processor: this program's and the server's. */
interface Times {
  readonly wall: number;
  readonly own: number;
  readonly server: number;
}

async function main(signal: AbortSignal): Promise<void> {
  const { rows, micros, repeat, help } = parseFlags(Deno.args, FLAGS);
  if (help) return console.log(helpText(USAGE, FLAGS));
  const cores = navigator.hardwareConcurrency;
  const data = turnsIn(micros / 1_000);
  await using database = await openDatabase({ url: undefined, onProgress: console.error, signal });
  const { sql } = database;
  await using saving = new WorkPool<Work>(WORK, { data });
  await using alone = new WorkPool<Work, "share">(WORK, { data, export: "share" });
  await Promise.all([saving.start(), alone.start()]);
  const ratios: number[] = [];
  for (let i = 0; i < repeat; i++) {
    const least = await timed(sql, async () => {
      const count = Math.ceil(rows / cores);
      await Promise.all(Array.from({ length: cores }, () => alone.run(count)));
    });
    await sql`drop table if exists spun`;
    await sql`create table spun (id int primary key, value int not null)`;
    const whole = await timed(sql, () => saveAll(saving, { sql, rows, signal }));
    // The server needs the same cores: what it took of them is not ours.
    const ratio = (whole.wall - whole.server / cores) / least.wall;
    ratios.push(ratio);
    console.log(
      [
        `alone ${seconds(least.wall)} (processor ${seconds(least.own)})`,
        `saved ${seconds(whole.wall)} (processor ${seconds(whole.own)}, server ${
          seconds(whole.server)
        })`,
        `${ratio.toFixed(2)} times less the server's share of ${cores} cores`,
        `${(whole.own / least.own).toFixed(2)} times the processor time`,
      ].join("; "),
    );
  }
  console.log(`median: ${median(ratios).toFixed(2)} times`);
}

async function saveAll(
  pool: WorkPool<Work>,
  { sql, rows, signal }: { sql: postgres.Sql; rows: number; signal: AbortSignal },
): Promise<void> {
  const conflict = { target: ["id"], action: "ignore" } as const;
  const every = Math.ceil(rows / 10);
  const memory: string[] = [];
  const { inserted } = await runPipeline(range(rows), {
    compute: async (id) => ({ id, value: await pool.run(id) }),
    sink: postgresWriter(sql, { table: "spun", columns: ["id", "value"], conflict }),
    onEnd(_id, { index }) {
      if ((index + 1) % every === 0) memory.push((Deno.memoryUsage().rss / 2 ** 20).toFixed(0));
    },
    maxPending: 4_000,
    signal,
  });
  const [{ count }] = await sql`select count(*)::int from spun`;
  if (inserted !== rows || count !== rows) {
    throw new ScriptError(`Cannot trust this as ${grouped(count)} of ${grouped(rows)} are there`);
  }
  console.log(`memory after each tenth, in MiB: ${memory.join(" ")}`);
}

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

function* range(end: number): Generator<number> {
  for (let i = 0; i < end; i++) yield i;
}

async function timed(sql: postgres.Sql, run: () => Promise<void>): Promise<Times> {
  const [{ pid }] = await sql`select pg_backend_pid() as pid`;
  const server = await serverSeconds(pid);
  const own = process.cpuUsage();
  const start = performance.now();
  await run();
  const wall = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(own);
  return { wall, own: (user + system) / 1e6, server: await serverSeconds(pid) - server };
}

/** Processor seconds of all processes of the server so far, by `/proc`. */
async function serverSeconds(backend: number): Promise<number> {
  const parent = (await statOf(backend)).parent;
  const main = await statOf(parent);
  let ticks = main.ticks + main.ended;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const one = await statOf(Number(name)).catch(() => undefined);
    if (one?.parent === parent) ticks += one.ticks;
  }
  return ticks / 100;
}

async function statOf(pid: number): Promise<{ parent: number; ticks: number; ended: number }> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch((cause) => {
    throw new ScriptError("Cannot measure the server without /proc, as Linux has it", { cause });
  });
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number);
  return {
    parent: Number(fields[1]),
    ticks: user + system,
    ended: endedUser + endedSystem,
  };
}

/** How many turns take so many milliseconds on one thread of this machine. */
function turnsIn(ms: number): number {
  const times = Array.from({ length: 20 }, (_, i) => {
    const start = performance.now();
    spinFor(i, 1_000_000);
    return performance.now() - start;
  });
  return Math.round(ms / Math.min(...times) * 1_000_000);
}

if (import.meta.main) await runScript(main);
