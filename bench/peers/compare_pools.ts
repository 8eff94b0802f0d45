/**
 * Compares `WorkPool` with other pools of threads, in Deno and in Node, and prints a table for each:
 * items a second for a function that does nothing, and for functions that take a while, how many
 * times as long as in the ideal, where every thread computes its share in a loop.
 *
 * ```sh
 * deno task bench:pools
 * ```
 */
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { alignColumns } from "../../scripts/cli/columns.ts";
import { helpText, integer, text, toggle } from "../../scripts/cli/flags.ts";
import { parseFlags } from "../../scripts/cli/parse_flags.ts";
import { grouped } from "../../scripts/cli/numbers.ts";
import { Progress } from "../../scripts/cli/progress.ts";
import { runScript, ScriptError } from "../../scripts/cli/run.ts";
import { median } from "../../scripts/measure/statistics.ts";
import type { Round } from "./pools/child.ts";
import { POOLS } from "./pools/pools.ts";
import spin from "./pools/spin.ts";

const FLAGS = {
  node: text("PATH", "Node, 22.18 or later", "node"),
  workers: integer("threads of each pool", navigator.hardwareConcurrency, { max: 1_000 }),
  repeat: integer("rounds, of which each table shows the medians", 5, { max: 1_000 }),
  quick: toggle("compute very little, to see that everything works"),
  help: toggle("print this help"),
};

const USAGE = "Compares WorkPool with other pools of threads. Takes about ten minutes.\n\n" +
  "Usage: deno task bench:pools [flags]";

/** What the function takes, in milliseconds, and how many items are computed in a round. */
const COLUMNS = [
  { ms: 0, count: 20_000 },
  { ms: 0.02, count: 20_000 },
  { ms: 0.2, count: 4_000 },
  { ms: 2, count: 400 },
  { ms: 20, count: 60 },
] as const;

/** Rounds until the functions are compiled and the threads are awake. */
const WARM_UP = 2;

const RUNTIMES = ["deno", "node"] as const;
type Runtime = typeof RUNTIMES[number];

/** A process with one pool in it, or with the ideal. */
class Child implements AsyncDisposable {
  readonly name: string;
  /** Milliseconds of each round, by column. */
  readonly rounds: number[][] = COLUMNS.map(() => []);
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncIterator<string>;

  constructor(
    name: string,
    runtime: Runtime,
    { node, workers }: { node: string; workers: number },
  ) {
    this.name = name;
    const script = new URL("pools/child.ts", import.meta.url).pathname;
    const [program, ...args] = runtime === "deno"
      ? [Deno.execPath(), "run", "-A", "--no-check", script]
      : [node, "--disable-warning=ExperimentalWarning", script];
    this.#process = new Deno.Command(program, {
      args: [...args, name, `${workers}`],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    const input = Readable.fromWeb(this.#process.stdout as never);
    this.#output = createInterface({ input })[Symbol.asyncIterator]();
  }

  async compute(round: Round): Promise<number> {
    // If that fails, there is no answer either.
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(round)}\n`)).catch(() => {});
    const { value, done } = await this.#output.next();
    if (done) throw new ScriptError(`Cannot measure ${this.name} as its process has ended`);
    return Number(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#process.status;
  }
}

async function main(signal: AbortSignal): Promise<void> {
  const { node, workers, repeat, quick, help } = parseFlags(Deno.args, FLAGS);
  if (help) return console.log(helpText(USAGE, FLAGS));
  const versions = { deno: Deno.version.deno, node: await nodeAt(node) };
  const turns = turnsPerMs();
  const rounds = COLUMNS.map(({ ms, count }) => ({
    turns: Math.round(turns * ms),
    count: quick ? 20 : count,
  }));
  console.log(
    `${workers} threads on ${navigator.hardwareConcurrency} cores of ${
      cpus()[0]?.model ?? "unknown"
    }`,
  );
  for (const runtime of RUNTIMES) {
    await using stack = new AsyncDisposableStack();
    const names = POOLS.filter(({ runtimes }) => runtimes.includes(runtime))
      .map(({ name }) => name);
    const children = [...names, "ideal"].map((name) =>
      stack.use(new Child(name, runtime, { node, workers }))
    );
    await measure(children, rounds, { repeat: quick ? 1 : repeat, signal });
    console.log(`\n${runtime === "deno" ? "Deno" : "Node"} ${versions[runtime]}\n`);
    console.log(table(children, rounds).join("\n"));
  }
  console.log(`\n${POOLS.map(({ name, setup }) => `- ${name}: ${setup}`).join("\n")}`);
}

/** In turns, so that what disturbs the machine for a while disturbs all of them. */
async function measure(
  children: readonly Child[],
  rounds: readonly Round[],
  { repeat, signal }: { repeat: number; signal: AbortSignal },
): Promise<void> {
  using progress = new Progress();
  for (let i = -WARM_UP; i < repeat; i++) {
    for (const [column, round] of rounds.entries()) {
      for (let k = 0; k < children.length; k++) {
        signal.throwIfAborted();
        const child = children[(Math.abs(i) + k) % children.length];
        progress.bar((i + WARM_UP) / (repeat + WARM_UP), child.name);
        const ms = await child.compute(round);
        if (i >= 0) child.rounds[column].push(ms);
      }
    }
  }
}

function table(children: readonly Child[], rounds: readonly Round[]): string[] {
  const ideal = children.at(-1)!;
  const cells = children.map(({ name, rounds: own }) => [
    name,
    ...rounds.map(({ count }, column) => {
      const ms = median(own[column]);
      if (column === 0) {
        return name === "ideal" ? "–" : `${grouped(Math.round(count / ms * 1e3))}/s`;
      }
      if (name === "ideal") return `${ms.toFixed(0)} ms`;
      // Beside the ideal of the same round.
      return `${median(own[column].map((ms, i) => ms / ideal.rounds[column][i])).toFixed(2)}×`;
    }),
  ]);
  const head = COLUMNS.map(({ ms }) => ms === 0 ? "no-op" : ms < 1 ? `${1e3 * ms} µs` : `${ms} ms`);
  return alignColumns([["", ...head], ...cells]);
}

/** How many turns the function does in a millisecond on one thread of this machine. */
function turnsPerMs(): number {
  const times = Array.from({ length: 20 }, () => {
    const start = performance.now();
    spin(1_000_000);
    return performance.now() - start;
  });
  return 1_000_000 / median(times);
}

async function nodeAt(path: string): Promise<string> {
  const refuse = (why: string) =>
    new ScriptError(`Cannot measure pools in Node as ${why}: name it with --node`);
  let version: string;
  try {
    const { stdout } = await new Deno.Command(path, { args: ["--version"] }).output();
    version = new TextDecoder().decode(stdout).trim();
  } catch {
    throw refuse(`'${path}' cannot be started`);
  }
  const [major, minor] = version.slice(1).split(".").map(Number);
  if (major > 22 || major === 22 && minor >= 18) return version.slice(1);
  throw refuse(`it takes 22.18 or later, and '${path}' is ${version}`);
}

if (import.meta.main) await runScript(main);
