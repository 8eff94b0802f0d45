/**
 * Our bcrypt lanes against John the Ripper, which is written in C: hashes of cost 5 for each second of
 * processor time. They run in turns, and each round gives a ratio.
 *
 * ```sh
 * deno run -A bench/john.ts 5 2
 * ```
 *
 * The arguments are the number of rounds, and of threads. It needs `john` (`apt-get install john`).
 */
import process from "node:process";
import { ENGINES } from "../scripts/engines/engines.ts";
import { Threads } from "../scripts/engines/threads.ts";
import { median } from "../scripts/measure/statistics.ts";

const [rounds = 5, threads = 1] = Deno.args.map(Number);
/** What a thread hashes for a sample: both take about a second. */
const HASHES = 1_000;

using pool = await Threads.start(ENGINES.find(({ name }) => name === "lanes")!, threads);

/** Hashes for each second of processor time, as John's own benchmark counts them ("virtual"). */
async function ours(): Promise<number> {
  const before = process.cpuUsage();
  await pool.hash(threads, 5, HASHES);
  const { user, system } = process.cpuUsage(before);
  return threads * HASHES / (user + system) * 1e6;
}

async function johns(): Promise<number> {
  const { stdout } = await new Deno.Command("john", {
    args: ["--test=1", "--format=bcrypt"],
    // Debian has it where only root looks.
    env: { OMP_NUM_THREADS: `${threads}`, PATH: `${Deno.env.get("PATH")}:/usr/sbin` },
  }).output();
  const text = new TextDecoder().decode(stdout);
  const found = /(\d+)(K?) c\/s virtual/.exec(text);
  if (found === null) throw new Error(`Cannot read what john printed: ${text}`);
  return Number(found[1]) * (found[2] === "K" ? 1_000 : 1);
}

await ours();
const samples: { lanes: number; john: number }[] = [];
for (let round = 0; round < rounds; round++) {
  samples.push({ lanes: await ours(), john: await johns() });
}
const lanes = samples.map(({ lanes }) => lanes);
const john = samples.map(({ john }) => john);
const ratios = samples.map(({ lanes, john }) => lanes / john);
const figures = [
  ["median", median(lanes), median(john), median(ratios)],
  ["best", Math.max(...lanes), Math.max(...john), Math.max(...lanes) / Math.max(...john)],
] as const;
for (const [name, ours, theirs, ratio] of figures) {
  console.log(
    `${name}: lanes ${Math.round(ours)} hashes/s, John the Ripper ${Math.round(theirs)}: ` +
      `${ratio.toFixed(2)} times`,
  );
}
console.log(`from ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} times`);
