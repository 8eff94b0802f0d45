import { type HashEngine, HashPool } from "../../hash_pool.ts";
import {
  type AlgorithmName,
  hashPassword,
  hashPasswordSync,
  verifyPassword,
} from "../../workload.ts";
import { ScriptError } from "../cli/run.ts";
import { PoolClock } from "./pool_clock.ts";
import { type OpenOptions, type OpenWork, type PoolResult, warmUps, type Work } from "./work.ts";

/** Hashes of each run that are verified. */
const SAMPLE = 3;

/** How passwords are hashed. */
export interface HashSettings {
  readonly algorithm: AlgorithmName;
  readonly cost: number;
  /** Where the algorithm has it. */
  readonly memory?: number | undefined;
  /** Where the algorithm has it. */
  readonly parallelism?: number | undefined;
}

/** Hashes passwords. */
export function passwordWork(
  passwords: readonly string[],
  settings: HashSettings,
  engine: HashEngine = "auto",
): Work {
  const { algorithm, cost, memory, parallelism } = settings;
  const eachMs = estimate(settings);
  return {
    subject: { kind: "passwords", name: algorithm, memory, parallelism },
    cost,
    count: passwords.length,
    eachMs,
    open: (options) => openWork(passwords, settings, { ...options, engine, eachMs }),
  };
}

/** About how many milliseconds a hash takes. */
function estimate(
  { algorithm, cost, memory = 0, parallelism = 1 }: HashSettings,
): number {
  const estimates: Readonly<Record<AlgorithmName, number>> = {
    bcrypt: 0.08 * 2 ** cost,
    scrypt: 0.0032 * 2 ** cost * parallelism,
    argon2id: 0.003 * memory * cost,
  };
  return estimates[algorithm];
}

async function openWork(
  passwords: readonly string[],
  settings: HashSettings,
  { workers, onPool, engine, eachMs }: OpenOptions & { engine: HashEngine; eachMs: number },
): Promise<OpenWork> {
  const { algorithm } = settings;
  // Argon2id has no form that blocks by itself, but it does not leave the thread either.
  const hash = algorithm === "argon2id" ? hashPassword : hashPasswordSync;
  const clock = new PoolClock();
  const { onComputed } = clock;
  const pool = new HashPool({ ...settings, engine, workers, onComputed });
  try {
    await warmUp(settings, hash);
    if (onPool) {
      const times = warmUps(eachMs) * workers;
      await Promise.all(Array.from({ length: times }, () => pool.hash("warm up")));
      clock.clear();
    }
  } catch (error) {
    await pool[Symbol.asyncDispose]();
    throw error;
  }
  return {
    compute: (id) => hash(passwords[id], settings),
    async *computeOnPool(): AsyncGenerator<PoolResult> {
      try {
        for await (const { item, hash } of pool.map(passwords.entries(), ([, text]) => text)) {
          yield { id: item[0], result: hash, span: clock.take(hash) };
        }
      } finally {
        clock.clear();
      }
    },
    async findWrong(hashes) {
      const step = Math.max(1, Math.floor(passwords.length / SAMPLE));
      for (let id = 0, n = 0; id < passwords.length && n < SAMPLE; id += step, n++) {
        // What is no hash at all, is not that of the password either.
        const right = await verifyPassword(passwords[id], hashes[id]).catch(() => false);
        if (!right) return `row ${id} does not hold the hash of its password`;
      }
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

async function warmUp(
  settings: HashSettings,
  hash: typeof hashPassword | typeof hashPasswordSync,
): Promise<void> {
  if (settings.algorithm === "bcrypt") {
    for (let i = 0; i < 50; i++) hashPasswordSync("warm up", { cost: 4 });
    return;
  }
  try {
    await hash("warm up", settings);
  } catch (error) {
    throw new ScriptError(
      `Cannot hash with ${settings.algorithm} at cost ${settings.cost} on this machine as ${
        (error as Error).message
      }`,
    );
  }
}
