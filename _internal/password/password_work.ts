/**
 * What the workers of a `HashPool` do: the module that its `WorkPool` runs.
 *
 * @module
 */
import {
  type AlgorithmSettings,
  resolveAlgorithm,
  type ResolvedAlgorithm,
  verify,
} from "./algorithms.ts";
import { parseBcrypt } from "./bcrypt_format.ts";
import { BcryptLanes, MAX_LANES } from "./bcrypt_lanes.ts";
import { laneJob, laneResult } from "./lane_job.ts";

/** Where this module is, so that whoever loads the pool has it too. */
export const PASSWORD_WORK: string = import.meta.url;

/** What hashes with bcrypt. */
export type HashEngine = "auto" | "lanes" | "bcryptjs";

/** How the workers of a pool hash. */
export interface PasswordData {
  readonly settings: AlgorithmSettings;
  readonly engine: HashEngine;
}

/** One password to be hashed, or, where there is a hash, to be compared with it. */
export interface PasswordTask {
  readonly password: string;
  readonly hash: string | undefined;
}

/** A hash, or whether a password is right; and why that was not done in lanes, if it should have been. */
export type PasswordResult = string | boolean | {
  readonly result: string | boolean;
  readonly noLanes: string;
};

/** Most passwords that are done at once. */
export let atOnce = 1;

let data: PasswordData;
let resolved: ResolvedAlgorithm;
let lanes: BcryptLanes | undefined;
/** Why lanes cannot be used. */
let noLanes: string | undefined;

export async function setup(given: PasswordData): Promise<void> {
  data = given;
  resolved = resolveAlgorithm("hash passwords", data.settings);
  const { engine } = data, { name, load } = resolved.algorithm;
  await load?.();
  if (engine === "bcryptjs") return;
  if (engine === "lanes" && name === "bcrypt") {
    if (prepare(MAX_LANES) === undefined) {
      throw new Error(`The engine "lanes" cannot be used as ${noLanes}`);
    }
  }
  if (name === "bcrypt" && "WebAssembly" in globalThis) atOnce = MAX_LANES;
}

/** Passwords go through the lanes together if their cost is the same. */
export function kindOf({ hash }: PasswordTask): unknown {
  return (hash === undefined ? laneCost() : parseBcrypt(hash)?.cost) ?? {};
}

export async function many(
  tasks: readonly PasswordTask[],
): Promise<readonly (PasswordResult | Error)[]> {
  const results: (PasswordResult | Error)[] = [];
  const jobs = data.engine === "bcryptjs" ? [] : tasks.map((task) => laneJob(task, laneCost()));
  const forLanes = jobs.filter((job) => job !== undefined);
  const hasher = forLanes.length > 0 ? prepare(forLanes.length) : undefined;
  const inLanes = hasher?.hash(forLanes, forLanes[0].cost).values();
  for (const [i, task] of tasks.entries()) {
    const job = jobs[i];
    if (inLanes !== undefined && job !== undefined) {
      results.push(laneResult(job, inLanes.next().value!));
    } else results.push(await one(task, job !== undefined));
  }
  return results;
}

/** The cost at which passwords are hashed, if they are hashed with bcrypt. */
function laneCost(): number | undefined {
  const { algorithm: { name }, parameters: { cost } } = resolved;
  return name === "bcrypt" ? cost : undefined;
}

function prepare(count: number): BcryptLanes | undefined {
  if (noLanes !== undefined) return undefined;
  try {
    lanes ??= new BcryptLanes();
    lanes.prepare(count);
    return lanes;
  } catch (error) {
    noLanes = (error as Error).message;
  }
}

async function one(
  { password, hash }: PasswordTask,
  wasForLanes: boolean,
): Promise<PasswordResult | Error> {
  try {
    const { algorithm, parameters } = resolved;
    const result = hash === undefined
      ? await algorithm.hash(password, parameters)
      : await verify(password, hash);
    return wasForLanes && noLanes !== undefined ? { result, noLanes } : result;
  } catch (error) {
    return error as Error;
  }
}
