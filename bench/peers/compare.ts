/**
 * Compares Burst with other ways to batch, and prints one table: what an item costs in time and in
 * heap, how fast rows are saved, and the time from adding a row to its commit.
 *
 * ```sh
 * deno task bench:peers
 * ```
 */
import { cpus } from "node:os";
import { helpText, list, text, toggle } from "../../scripts/cli/flags.ts";
import { parseFlags } from "../../scripts/cli/parse_flags.ts";
import { Progress } from "../../scripts/cli/progress.ts";
import { runScript, ScriptError, UsageError } from "../../scripts/cli/run.ts";
import { type Database, openDatabase } from "../../scripts/database/connect.ts";
import { COUNTS } from "./cost.ts";
import { INTERVAL } from "./latency.ts";
import { formatComparison } from "./markdown.ts";
import {
  type Column,
  type Hooks,
  measureCost,
  measureHeap,
  measureLatency,
  measureSaves,
} from "./measure.ts";
import { PEERS } from "./peers.ts";
import { CALLERS, ROWS } from "./saves.ts";
import { createTable } from "./table.ts";

const PARTS = ["cost", "heap", "saves", "latency"] as const;
type Part = typeof PARTS[number];

/** How often what is measured; small counts are over so soon that one run says little. */
const ROUNDS = { 1_000: 100, 16_000: 20, 100_000: 5, 1_000_000: 3, saves: 7, latency: 7 };

/** Items that are queued where the heap is measured. */
const QUEUED = 20_000;

/** Rows of a run of the last part. */
const RARE_ROWS = 150;

const FLAGS = {
  parts: list("PART", "what to measure", PARTS, { parse: findPart }),
  quick: toggle("measure very little, to see that everything works"),
  "database-url": text(
    "URL",
    "the PostgreSQL to save to, also DATABASE_URL; without it, a server of its own is started",
  ),
  help: toggle("print this help"),
};

const USAGE = "Compares Burst with other batchers. Takes about four minutes.\n\n" +
  "Usage: deno task bench:peers [flags]";

function findPart(name: string): Part {
  const part = PARTS.find((part) => part === name);
  if (part !== undefined) return part;
  throw new UsageError(`names no part '${name}': the parts are ${PARTS.join(", ")}`);
}

async function main(signal: AbortSignal): Promise<void> {
  const { parts, quick, help, "database-url": url } = parseFlags(Deno.args, FLAGS);
  if (help) return console.log(helpText(USAGE, FLAGS));
  using progress = new Progress();
  const hooks: Hooks = {
    signal,
    onProgress: (what, fraction) => progress.bar(fraction, what),
  };
  const columns = parts.includes("cost") ? await compareCost(quick, hooks) : [];
  if (parts.includes("heap")) columns.push(await measureHeap(QUEUED, quick ? 1 : 3, hooks));
  let server = "";
  if (parts.includes("saves") || parts.includes("latency")) {
    await using database = await openDatabase({
      url,
      onProgress: (message) => progress.say(message),
      signal,
    });
    server = `PostgreSQL ${database.version} (${database.embedded ? "embedded" : "yours"}), `;
    const saved = await compareSaves(database, parts, quick, hooks).catch((error) => {
      throw database.explain(error);
    });
    columns.push(...saved);
  }
  progress[Symbol.dispose]();
  const cores = navigator.hardwareConcurrency;
  console.log(
    `${server}Deno ${Deno.version.deno}, ${cores} cores of ${cpus()[0]?.model ?? "unknown"}\n`,
  );
  console.log(formatComparison(PEERS, columns));
  if (parts.includes("latency")) console.log(`\nAdd to commit: a row every ${INTERVAL} ms.`);
  if (columns.some(({ results }) => [...results.values()].some(({ wrong }) => wrong > 0))) {
    throw new ScriptError(
      "Cannot trust all of these figures as rows were lost or doubled: see those marked †",
    );
  }
}

async function compareCost(quick: boolean, hooks: Hooks): Promise<Column[]> {
  if (quick) return [await measureCost(COUNTS[0], 1, hooks)];
  const columns: Column[] = [];
  for (const count of COUNTS) columns.push(await measureCost(count, ROUNDS[count], hooks));
  return columns;
}

async function compareSaves(
  database: Database,
  parts: readonly Part[],
  quick: boolean,
  hooks: Hooks,
): Promise<Column[]> {
  await using table = await createTable(database);
  const columns: Column[] = [];
  const rows = quick ? ROWS / 10 : ROWS;
  if (parts.includes("saves")) {
    for (const callers of [CALLERS, rows]) {
      const rounds = quick ? 1 : ROUNDS.saves;
      columns.push(await measureSaves(table, { rows, callers, rounds }, hooks));
    }
  }
  if (parts.includes("latency")) {
    const sizes = quick ? { rows: 10, rounds: 1 } : { rows: RARE_ROWS, rounds: ROUNDS.latency };
    columns.push(...await measureLatency(table, sizes, hooks));
  }
  return columns;
}

if (import.meta.main) await runScript(main);
