import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { AlgorithmName } from "../../workload.ts";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError, UsageError } from "../cli/run.ts";
import { formatOf } from "../input/format.ts";
import { planAlgorithm } from "./algorithm_plan.ts";
import { type Items, numbers, readItems } from "./items.ts";
import { checkModule, moduleWork } from "./module_work.ts";
import { passwordWork } from "./password_work.ts";
import { randomPasswords, readPasswords } from "./passwords.ts";
import type { Values } from "./flags.ts";
import type { Preset } from "./presets.ts";
import type { Work } from "./work.ts";

/** Flags that a function has no use for. */
const OF_HASHING = ["workload", "cost", "memory", "parallelism", "engine"] as const;

/** What is to be computed: passwords at each cost, or the function of the user's. */
export async function planWorks(flags: Values, preset: Preset): Promise<Work[]> {
  if (flags.work === undefined) return await planHashing(flags, preset);
  return [await planModule(flags.work, flags, preset)];
}

async function planModule(
  work: string,
  flags: Values,
  { items: usual }: Preset,
): Promise<Work> {
  const { input, format, count: counts } = flags;
  for (const name of OF_HASHING) {
    if (flags[name] === undefined || flags[name] === "auto") continue;
    throw new UsageError(`Cannot run this with both --work and --${name}: choose one`);
  }
  if (counts !== undefined && counts.length > 1) {
    throw new UsageError(
      `Cannot run this as --count has ${counts.length} numbers for one function: give one number`,
    );
  }
  if (input === undefined && format !== undefined) {
    throw new UsageError("Cannot run this as --format needs an --input");
  }
  const read = input === undefined ? undefined : { input, format: format ?? formatOf(input) };
  const module = await findModule(work);
  await checkModule(module);
  const [count] = counts ?? [];
  const items: Items = read === undefined
    ? numbers(count ?? usual)
    : await fromInput(read.input, read.format, count);
  return moduleWork(module, basename(work), items);
}

async function findModule(work: string): Promise<URL> {
  if (/^(https?|file|jsr|npm):/.test(work) && URL.canParse(work)) return new URL(work);
  const path = resolve(work);
  await Deno.stat(path).catch((error) => {
    throw new ScriptError(`Cannot use the module '${work}' as ${whyUnreadable(error)}`);
  });
  return pathToFileURL(path);
}

async function fromInput(
  path: string,
  format: ReturnType<typeof formatOf>,
  count: number | undefined,
): Promise<Items> {
  const items = await readItems(path, { format, count });
  reportSkipped(items.skipped);
  if (count !== undefined && items.count < count) {
    console.error(`Computing ${items.count} rows, not ${count}: '${path}' has no more`);
  }
  return items;
}

async function planHashing(flags: Values, { hashes }: Preset): Promise<Work[]> {
  const { count, input, engine, format } = flags;
  const { algorithm, costs: given, memory, parallelism } = planAlgorithm(flags);
  if (engine !== "auto" && algorithm !== "bcrypt") {
    throw new UsageError(
      `Cannot run this as ${flags.workload} has no --engine: it goes with --workload bcrypt`,
    );
  }
  if (format !== undefined) throw new UsageError("Cannot run this as --format needs --work");
  const costs = given ?? hashes[algorithm].costs;
  if (count !== undefined && count.length > 1 && count.length !== costs.length) {
    throw new UsageError(
      `Cannot run this as --count has ${count.length} numbers for ${costs.length} ${
        costs.length === 1 ? "cost" : "costs"
      }: give one number, or one for each cost`,
    );
  }
  const counts = costs.map((cost, i) =>
    count?.[i] ?? count?.[0] ?? (input === undefined ? hashes[algorithm].count(cost) : Infinity)
  );
  const most = Math.max(...counts);
  const passwords = input === undefined
    ? randomPasswords(most)
    : await passwordsFrom(input, algorithm, most);
  return costs.map((cost, i) =>
    passwordWork(
      passwords.slice(0, counts[i]),
      { algorithm, cost, memory, parallelism },
      engine,
    )
  );
}

async function passwordsFrom(
  path: string,
  algorithm: AlgorithmName,
  count: number,
): Promise<string[]> {
  const { passwords, skipped } = await readPasswords(path, algorithm, count);
  reportSkipped(skipped);
  if (count !== Infinity && passwords.length < count) {
    console.error(`Hashing ${passwords.length} passwords, not ${count}: '${path}' has no more`);
  }
  return passwords;
}

function reportSkipped(rows: readonly { readonly line: number; readonly reason: string }[]): void {
  for (const { line, reason } of rows) console.error(`Skipping line ${line}: ${reason}`);
}
