/**
 * Our bcrypt lanes against John the Ripper, which is written in C, on one core: hashes of cost 5 for
 * each second of processor time. They run in turns, and each round gives a ratio.
 *
 * ```sh
 * deno run -A bench/john.ts 5
 * ```
 *
 * The argument is the number of rounds. It needs `john` (`apt-get install john`).
 */
import process from "node:process";
import { BcryptLanes, MAX_LANES } from "../_internal/password/bcrypt_lanes.ts";
import { median } from "../scripts/measure/statistics.ts";

const rounds = Number(Deno.args[0] ?? 5);
/** Both take about a second for a sample. */
const HASHES = 1_000;

const engine = new BcryptLanes();
const inputs = Array.from({ length: MAX_LANES }, (_, i) => ({
  password: `password ${i}`,
  salt: crypto.getRandomValues(new Uint8Array(16)),
}));

/** Hashes for each second of processor time, as John's own benchmark counts them ("virtual"). */
function ours(): number {
  const before = process.cpuUsage();
  let done = 0;
  for (; done < HASHES; done += MAX_LANES) engine.hash(inputs, 5);
  const { user, system } = process.cpuUsage(before);
  return done / (user + system) * 1e6;
}

async function johns(): Promise<number> {
  const { stdout } = await new Deno.Command("john", {
    args: ["--test=1", "--format=bcrypt"],
    // Debian has it where only root looks.
    env: { OMP_NUM_THREADS: "1", PATH: `${Deno.env.get("PATH")}:/usr/sbin` },
  }).output();
  const text = new TextDecoder().decode(stdout);
  const found = /(\d+)(K?) c\/s virtual/.exec(text);
  if (found === null) throw new Error(`Cannot read what john printed: ${text}`);
  return Number(found[1]) * (found[2] === "K" ? 1_000 : 1);
}

ours();
const samples: { lanes: number; john: number }[] = [];
for (let round = 0; round < rounds; round++) samples.push({ lanes: ours(), john: await johns() });
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
