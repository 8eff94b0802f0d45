/**
 * Hash and verify one password at a time, with bcrypt (which costs time), or with scrypt or Argon2id
 * (which cost time and memory). `HashPool` does the same on every core. It runs in Deno, Node 22 or
 * later, and Bun.
 *
 * @example Hash and verify
 * ```ts
 * import { hashPassword, verifyPassword } from "@burst/batcher/workload";
 * import { assert } from "@std/assert";
 *
 * const hash = await hashPassword("correct horse", { cost: 4 });
 * assert(await verifyPassword("correct horse", hash));
 * ```
 *
 * @module
 */
import type { Parameter, ParameterName } from "./_internal/password/algorithm.ts";
import {
  type AlgorithmName,
  algorithmOf,
  ALGORITHMS,
  resolveAlgorithm,
  verify,
} from "./_internal/password/algorithms.ts";
import { BcryptLanes, MAX_LANES } from "./_internal/password/bcrypt_lanes.ts";
import { letterStream } from "./_internal/password/random.ts";
import { scryptMemory } from "./_internal/password/scrypt_format.ts";
import { assertPositiveInteger, describe } from "./_internal/shared/validate.ts";

export type { AlgorithmName, Parameter, ParameterName };

/** Limits of bcrypt's cost. */
const { min: MIN_COST, max: MAX_COST } = ALGORITHMS.bcrypt.parameters.cost!;

/** Options of {@linkcode hashPassword}. Each algorithm takes some of the parameters. */
export interface HashOptions {
  /**
   * What passwords are hashed with.
   *
   * @default {"bcrypt"}
   */
  algorithm?: AlgorithmName;
  /**
   * The time it takes. For bcrypt, the binary logarithm of the number of rounds, from 4 to 31. For
   * scrypt, the binary logarithm of N, from 1 to 30, which also sets the memory. For Argon2id, the
   * number of passes over the memory.
   *
   * @default {12 for bcrypt, 14 for scrypt, 2 for argon2id}
   */
  cost?: number;
  /**
   * The memory of Argon2id, in KiB. (scrypt uses `128 * 2 ** cost * blockSize` bytes.)
   *
   * @default {19_456}
   */
  memory?: number;
  /**
   * For scrypt, how many times the work is done; for Argon2id, into how many lanes the memory is
   * divided.
   *
   * @default {1}
   */
  parallelism?: number;
  /**
   * Block size of scrypt, in units of 128 bytes.
   *
   * @default {8}
   */
  blockSize?: number;
}

/** Options of {@linkcode scryptPassword}. */
export interface ScryptOptions {
  /**
   * Time and memory, a power of 2 greater than 1. The memory is `128 * N * r` bytes.
   *
   * @default {16_384}
   */
  N?: number;
  /**
   * Block size.
   *
   * @default {8}
   */
  r?: number;
  /**
   * How many times the work is done, one after the other, in the same memory.
   *
   * @default {1}
   */
  p?: number;
}

/** Options of {@linkcode randomPassword}. */
export interface RandomPasswordOptions {
  /**
   * Number of letters.
   *
   * @default {10}
   */
  length?: number;
  /**
   * A whole number; the same seed gives the same password. Such a password is for a benchmark, not
   * for a person. Without it, the password is drawn from the system's source of randomness.
   */
  seed?: number;
}

/** Options of {@linkcode calibrate}. */
export interface CalibrateOptions {
  /**
   * The work to measure, at a given cost.
   *
   * @default {hashPasswordSync}
   */
  hash?: (password: string, options: { cost: number }) => unknown;
}

/** The parameters of an algorithm, with their defaults and limits, for making flags of them. */
export function parametersOf(
  algorithm: AlgorithmName,
): { readonly [name in ParameterName]?: Parameter } {
  return resolveAlgorithm("list parameters", { algorithm }).algorithm.parameters;
}

/**
 * Throws unless a password can be hashed as it is: bcrypt reads 72 bytes and stops at a NUL, and
 * Argon2id takes no empty password. The error reveals nothing of the password but its length.
 *
 * @example Usage
 * ```ts
 * import { checkPassword } from "@burst/batcher/workload";
 * import { assertThrows } from "@std/assert";
 *
 * checkPassword("correct horse");
 * assertThrows(() => checkPassword("x".repeat(73)), RangeError);
 * checkPassword("x".repeat(73), { algorithm: "scrypt" });
 * ```
 *
 * @param password The password.
 * @param options The algorithm.
 * @throws {TypeError} If it is not a string, or contains half of a surrogate pair or, with bcrypt, a
 *   NUL.
 * @throws {RangeError} If it is too long or too short.
 */
export function checkPassword(
  password: string,
  { algorithm = "bcrypt" }: Pick<HashOptions, "algorithm"> = {},
): void {
  resolveAlgorithm("check a password", { algorithm }).algorithm.check(password);
}

/**
 * Throws unless a text is a hash that {@linkcode verifyPassword} can compare a password with: of bcrypt
 * (`$2a$`, `$2b$`, `$2y$`), scrypt (`$scrypt$`) or Argon2 (`$argon2id$`, `$argon2i$`, `$argon2d$`),
 * complete, and with parameters that can be computed. The error shows nothing of the hash but them.
 *
 * @example Usage
 * ```ts
 * import { checkHash } from "@burst/batcher/workload";
 * import { assertThrows } from "@std/assert";
 *
 * checkHash("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW");
 * assertThrows(() => checkHash("5f4dcc3b5aa765d61d8327deb882cf99"), TypeError);
 * ```
 *
 * @param hash The hash.
 * @throws {TypeError} If it is none, or not complete.
 * @throws {RangeError} If one of its parameters is out of range.
 */
export function checkHash(hash: string): void {
  if (typeof hash !== "string") {
    throw new TypeError(
      `Cannot use a hash as it must be a string: current value is ${describe(hash)}`,
    );
  }
  algorithmOf(hash, "use a hash");
}

/**
 * Hashes a password, by default with bcrypt. Meanwhile the event loop gets a turn about every 100 ms
 * with bcrypt, is free with scrypt, and is blocked with Argon2id.
 *
 * bcrypt reads 72 bytes and stops at a NUL. A longer password, or one with a NUL, is refused and never
 * silently truncated.
 *
 * @example Usage
 * ```ts
 * import { hashPassword, verifyPassword } from "@burst/batcher/workload";
 * import { assert } from "@std/assert";
 *
 * const hash = await hashPassword("correct horse", { cost: 4 });
 * assert(await verifyPassword("correct horse", hash));
 * ```
 *
 * @example Argon2id
 * ```ts
 * import { hashPassword, verifyPassword } from "@burst/batcher/workload";
 * import { assert } from "@std/assert";
 *
 * const options = { algorithm: "argon2id", memory: 1024 } as const;
 * const hash = await hashPassword("correct horse", options);
 * assert(hash.startsWith("$argon2id$v=19$m=1024,t=2,p=1$"));
 * assert(await verifyPassword("correct horse", hash));
 * ```
 *
 * @param password The password.
 * @param options The options.
 * @returns The hash, with salt and parameters: `$2b$12$…` and 60 characters long for bcrypt.
 * @throws {TypeError} If the password cannot be hashed as it is: see {@linkcode checkPassword}.
 * @throws {RangeError} If its length or a parameter is out of range.
 */
export async function hashPassword(password: string, options: HashOptions = {}): Promise<string> {
  const { algorithm, parameters } = resolveAlgorithm("hash a password", options);
  algorithm.check(password);
  return await algorithm.hash(password, parameters);
}

/**
 * Hashes a password with bcrypt or scrypt, and blocks the thread.
 *
 * @example Usage
 * ```ts
 * import { hashPasswordSync } from "@burst/batcher/workload";
 * import { assertEquals } from "@std/assert";
 *
 * const hash = hashPasswordSync("correct horse", { cost: 4 });
 * assertEquals(hash.slice(0, 7), "$2b$04$");
 * ```
 *
 * @param password The password.
 * @param options The options.
 * @returns The hash, with salt and parameters.
 * @throws {TypeError} If the password cannot be hashed as it is, or the algorithm is asynchronous.
 * @throws {RangeError} If its length or a parameter is out of range.
 */
export function hashPasswordSync(password: string, options: HashOptions = {}): string {
  const { algorithm, parameters } = resolveAlgorithm("hash a password", options);
  algorithm.check(password);
  if (algorithm.hashSync === undefined) {
    throw new TypeError(`Cannot hash a password with ${algorithm.name} without waiting for it`);
  }
  return algorithm.hashSync(password, parameters);
}

/**
 * Hashes many passwords with bcrypt, several at once in WebAssembly, and blocks the thread. That takes
 * less than half the time of calling {@linkcode hashPasswordSync} for each.
 *
 * @example Usage
 * ```ts
 * import { hashPasswordsSync, verifyPassword } from "@burst/batcher/workload";
 * import { assert } from "@std/assert";
 *
 * const hashes = hashPasswordsSync(["swordfish", "mellon"], { cost: 4 });
 * assert(await verifyPassword("swordfish", hashes[0]));
 * assert(await verifyPassword("mellon", hashes[1]));
 * ```
 *
 * @param passwords The passwords.
 * @param options The cost.
 * @returns The hashes, in order.
 * @throws {TypeError} If a password cannot be hashed as it is.
 * @throws {RangeError} If the length of a password or the cost is out of range.
 * @throws {Error} If there is no WebAssembly.
 */
export function hashPasswordsSync(
  passwords: readonly string[],
  { cost = 12 }: Pick<HashOptions, "cost"> = {},
): string[] {
  resolveAlgorithm("hash passwords", { cost });
  for (const password of passwords) checkPassword(password);
  bcryptLanes ??= new BcryptLanes();
  const hashes: string[] = [];
  for (let from = 0; from < passwords.length; from += MAX_LANES) {
    const group = passwords.slice(from, from + MAX_LANES);
    const inputs = group.map((password) => ({
      password,
      salt: crypto.getRandomValues(new Uint8Array(16)),
    }));
    hashes.push(...bcryptLanes.hash(inputs, cost));
  }
  return hashes;
}

let bcryptLanes: BcryptLanes | undefined;

/**
 * Hashes a password with scrypt, with the parameters as scrypt names them. It runs outside the thread
 * of the event loop.
 *
 * @example Usage
 * ```ts
 * import { scryptPassword, verifyPassword } from "@burst/batcher/workload";
 * import { assert } from "@std/assert";
 *
 * const hash = await scryptPassword("correct horse", { N: 1024 });
 * assert(await verifyPassword("correct horse", hash));
 * ```
 *
 * @param password The password, of any length.
 * @param options The options.
 * @returns The hash, with salt and parameters: `$scrypt$ln=14,r=8,p=1$…$…`.
 * @throws {TypeError} If the password is not a string, or contains half of a surrogate pair.
 * @throws {RangeError} If a parameter is out of range.
 */
export async function scryptPassword(
  password: string,
  options: ScryptOptions = {},
): Promise<string> {
  const { N = 16_384, r = 8, p = 1 } = options;
  scryptMemory({ N, r, p });
  const parameters = { cost: Math.log2(N), blockSize: r, parallelism: p };
  return await hashPassword(password, { algorithm: "scrypt", ...parameters });
}

/**
 * Tells whether a password matches a hash, of any of the algorithms.
 *
 * @example Usage
 * ```ts
 * import { hashPassword, verifyPassword } from "@burst/batcher/workload";
 * import { assertEquals } from "@std/assert";
 *
 * const hash = await hashPassword("correct horse", { cost: 4 });
 * assertEquals(await verifyPassword("battery staple", hash), false);
 * ```
 *
 * @param password The password.
 * @param hash The hash.
 * @returns Whether they match. A password that could not have been hashed never does.
 * @throws {TypeError} If the hash is of none of the algorithms.
 * @throws {RangeError} If the hash asks for too much memory.
 */
export function verifyPassword(password: string, hash: string): Promise<boolean> {
  return verify(password, hash);
}

/**
 * Makes up a password of lower-case letters.
 *
 * @example The same seed gives the same password
 * ```ts
 * import { randomPassword } from "@burst/batcher/workload";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(randomPassword({ seed: 7 }), randomPassword({ seed: 7 }));
 * ```
 *
 * @param options The options.
 * @returns The password.
 * @throws {RangeError} If the length is not a positive integer, or the seed not a whole number.
 */
export function randomPassword(options: RandomPasswordOptions = {}): string {
  const { length = 10, seed } = options;
  assertPositiveInteger("make up a password", "length", length);
  if (seed !== undefined && !Number.isSafeInteger(seed)) {
    throw new RangeError(
      `Cannot make up a password as 'seed' must be a whole number: current value is ${seed}`,
    );
  }
  const nextLetter = letterStream(seed);
  return Array.from({ length }, nextLetter).join("");
}

/**
 * Finds the cost at which one hash takes about this long, on this machine, right now.
 *
 * @example Usage
 * ```ts
 * import { calibrate } from "@burst/batcher/workload";
 *
 * console.log(`A hash takes about 50 ms at cost ${await calibrate(50)}`);
 * ```
 *
 * @param targetMs How long one hash should take, in milliseconds.
 * @param options The options.
 * @returns The cost, from 4 to 31, whose time is nearest to the target in ratio.
 * @throws {RangeError} If the target is not a positive number.
 */
export async function calibrate(
  targetMs: number,
  options: CalibrateOptions = {},
): Promise<number> {
  const { hash = hashPasswordSync } = options;
  if (!(targetMs > 0 && targetMs < Infinity)) {
    throw new RangeError(
      `Cannot calibrate as 'targetMs' must be a positive number of milliseconds: current value is ${
        String(targetMs)
      }`,
    );
  }
  // The first hashes are slow, as the engine has not compiled the code yet.
  let took = Infinity;
  let cost = MIN_COST;
  for (; cost < MAX_COST; cost++) {
    took = await fastest(() => hash("calibrate", { cost }), cost === MIN_COST ? 30 : 3);
    // Each cost takes twice the time of the one before, so a few milliseconds tell enough.
    if (took >= Math.min(targetMs, 10)) break;
  }
  const nearest = Math.round(cost + Math.log2(targetMs / took));
  return Math.min(MAX_COST, Math.max(MIN_COST, nearest));
}

/** The fastest of some calls, in milliseconds: disturbances only ever make a call slower. */
async function fastest(call: () => unknown, times: number): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await call();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
