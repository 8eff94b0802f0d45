import type { ScryptOptions } from "../../workload.ts";
import type { HashEngine, HashSettings } from "./hash_protocol.ts";
import { scryptMemory } from "../password/scrypt_format.ts";
import { assertFunction, assertPositiveInteger, describe } from "../shared/validate.ts";

export type { HashEngine };

/** Options of {@linkcode HashPool}. */
export interface HashPoolOptions {
  /**
   * Most workers at once. They are started when there is work for them.
   *
   * @default {navigator.hardwareConcurrency}
   */
  workers?: number;
  /**
   * What passwords are hashed with. Hashes of both kinds can be verified.
   *
   * @default {"bcrypt"}
   */
  algorithm?: "bcrypt" | "scrypt";
  /**
   * The cost of bcrypt: the binary logarithm of the number of rounds, from 4 to 31.
   *
   * @default {12}
   */
  cost?: number;
  /**
   * What hashes with bcrypt, and verifies its hashes: `"lanes"` is WebAssembly that hashes several
   * passwords at once in each worker, `"bcryptjs"` one after the other. `"auto"` is lanes, or, with a
   * warning on the console, bcryptjs where there is no WebAssembly or its self-test fails; `"lanes"`
   * fails there.
   *
   * @default {"auto"}
   */
  engine?: HashEngine;
  /** The parameters of scrypt. Every worker needs the memory that they ask for. */
  scrypt?: ScryptOptions;
  /**
   * Makes a worker, for bundlers that have to see where its module is: one that imports this module,
   * and does no more. It must have the given name.
   *
   * @default {(url, name) => new Worker(url, { type: "module", name })}
   */
  createWorker?: (url: string, name: string) => Worker;
}

/** Options of {@linkcode HashPool.map}. */
export interface HashMapOptions<T> {
  /**
   * Whether results come in the order of the items, or as they are done.
   *
   * @default {false}
   */
  ordered?: boolean;
  /**
   * Most items that have been taken from the source and whose results have not been asked for.
   *
   * @default {64 * workers}
   */
  lookAhead?: number;
  /** Ends it with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Called, and awaited, instead of a result where the password of an item could not be hashed. What
   * it throws ends the iteration; without it, the first such item does.
   */
  onError?: (error: unknown, item: T) => unknown;
}

const ENGINES: readonly HashEngine[] = ["auto", "lanes", "bcryptjs"];

/** The options of a pool with their defaults. */
export interface ResolvedPoolOptions {
  readonly workers: number;
  readonly settings: HashSettings;
  readonly engine: HashEngine;
  readonly createWorker: (url: string, name: string) => Worker;
}

/** Fills in the defaults, and checks. */
export function resolvePoolOptions(options: HashPoolOptions): ResolvedPoolOptions {
  const {
    workers = navigator.hardwareConcurrency,
    engine = "auto",
    createWorker = (url: string, name: string) => new Worker(url, { type: "module", name }),
  } = options;
  assertPositiveInteger("create a hash pool", "workers", workers);
  assertFunction("create a hash pool", "createWorker", createWorker);
  if (!ENGINES.includes(engine)) {
    throw new TypeError(
      `Cannot create a hash pool as 'engine' must be "auto", "lanes" or "bcryptjs": current value is ${
        describe(engine)
      }`,
    );
  }
  return { workers, engine, createWorker, settings: resolveSettings(options) };
}

function resolveSettings(
  { algorithm = "bcrypt", cost = 12, scrypt }: HashPoolOptions,
): HashSettings {
  if (algorithm === "scrypt") {
    const { N = 16_384, r = 8, p = 1 } = scrypt ?? {};
    scryptMemory({ N, r, p });
    return { algorithm, N, r, p };
  }
  if (algorithm !== "bcrypt") {
    throw new TypeError(
      `Cannot create a hash pool as 'algorithm' must be "bcrypt" or "scrypt": current value is ${
        describe(algorithm)
      }`,
    );
  }
  if (scrypt !== undefined) {
    throw new TypeError(`Cannot create a hash pool as 'scrypt' needs the algorithm "scrypt"`);
  }
  if (!(Number.isInteger(cost) && cost >= 4 && cost <= 31)) {
    throw new RangeError(
      `Cannot create a hash pool as 'cost' must be an integer from 4 to 31: current value is ${
        describe(cost)
      }`,
    );
  }
  return { algorithm, cost };
}
