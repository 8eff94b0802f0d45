/**
 * One unit of CPU work: a password → its hash, with bcrypt (the cost is time) or scrypt (the cost is
 * time and memory).
 *
 * @module
 */
import bcrypt from "bcryptjs";
import type { Buffer } from "node:buffer";
import { randomBytes, scrypt as scryptCallback, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { checkPassword } from "./_internal/password/password.ts";
import { letterStream } from "./_internal/password/random.ts";
import { formatScrypt, parseScrypt, scryptMemory } from "./_internal/password/scrypt_format.ts";
import { assertPositiveInteger, describe } from "./_internal/shared/validate.ts";

const scryptAsync = promisify(scryptCallback) as (
  password: string,
  salt: Uint8Array,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

/** Least and most that bcrypt's cost may be. */
const MIN_COST = 4;
const MAX_COST = 31;

/** Options of {@linkcode hashPassword}. */
export interface HashOptions {
  /**
   * Binary logarithm of the number of rounds, from 4 to 31: one more takes twice the time.
   *
   * @default {12}
   */
  cost?: number;
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
   * Times the work is done, one after the other, in the same memory.
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
   * The work to be measured, at a given cost.
   *
   * @default {hashPasswordSync}
   */
  hash?: (password: string, options: { cost: number }) => unknown;
}

/**
 * Hashes a password with bcrypt, and gives the event loop a turn about every 100 ms.
 *
 * bcrypt sees 72 bytes and stops at a NUL. A longer password, or one with a NUL, is refused and
 * never silently cut.
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
 * @param password The password.
 * @param options The options.
 * @returns The hash, with salt and cost: `$2b$12$…`, 60 characters.
 * @throws {TypeError} If the password is no string, or has a NUL or half of a surrogate pair in it.
 * @throws {RangeError} If it is longer than 72 bytes, or the cost is out of range.
 */
export async function hashPassword(password: string, options: HashOptions = {}): Promise<string> {
  const { cost = 12 } = options;
  checkCost(cost);
  checkPassword(password);
  return await bcrypt.hash(password, cost);
}

/**
 * Hashes a password with bcrypt, and blocks the thread meanwhile.
 *
 * @example Usage
 * ```ts
 * import { hashPasswordSync } from "@burst/batcher/workload";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(hashPasswordSync("correct horse", { cost: 4 }).slice(0, 7), "$2b$04$");
 * ```
 *
 * @param password The password.
 * @param options The options.
 * @returns The hash, with salt and cost: `$2b$12$…`, 60 characters.
 * @throws {TypeError} If the password is no string, or has a NUL or half of a surrogate pair in it.
 * @throws {RangeError} If it is longer than 72 bytes, or the cost is out of range.
 */
export function hashPasswordSync(password: string, options: HashOptions = {}): string {
  const { cost = 12 } = options;
  checkCost(cost);
  checkPassword(password);
  return bcrypt.hashSync(password, cost);
}

/**
 * Hashes a password with scrypt, which makes memory a parameter too. It runs outside the thread of
 * the event loop.
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
 * @throws {TypeError} If the password is no string, or has half of a surrogate pair in it.
 * @throws {RangeError} If a parameter is out of range.
 */
export async function scryptPassword(
  password: string,
  options: ScryptOptions = {},
): Promise<string> {
  const { N = 16_384, r = 8, p = 1 } = options;
  const parameters = { N, r, p, maxmem: scryptMemory({ N, r, p }) };
  checkPassword(password, { maxBytes: Infinity, nul: true });
  const salt = randomBytes(16);
  return formatScrypt({ N, r, p, salt, key: await scryptAsync(password, salt, 32, parameters) });
}

/**
 * Tells whether a hash of {@linkcode hashPassword} or {@linkcode scryptPassword} is that of this
 * password.
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
 * @returns Whether they belong together. A password that could not have been hashed never does.
 * @throws {TypeError} If the hash is of neither kind.
 */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  if (/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) {
    try {
      checkPassword(password);
    } catch {
      return false;
    }
    return await bcrypt.compare(password, hash);
  }
  const scrypt = parseScrypt(hash);
  if (scrypt === undefined) {
    throw new TypeError("Cannot verify a password as the hash is neither one of bcrypt nor scrypt");
  }
  const { N, r, p, salt, key } = scrypt;
  const parameters = { N, r, p, maxmem: scryptMemory({ N, r, p }) };
  return timingSafeEqual(await scryptAsync(password, salt, key.length, parameters), key);
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
 * Finds the cost at which one hash takes about so long on this machine, now.
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

/** The fastest of some calls, in milliseconds: what disturbs a call only ever makes it slower. */
async function fastest(call: () => unknown, times: number): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await call();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

function checkCost(cost: number): void {
  if (Number.isInteger(cost) && cost >= MIN_COST && cost <= MAX_COST) return;
  throw new RangeError(
    `Cannot hash a password as 'cost' must be an integer from ${MIN_COST} to ${MAX_COST}: current value is ${
      describe(cost)
    }`,
  );
}
