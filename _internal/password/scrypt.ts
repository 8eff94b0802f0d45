import type { Buffer } from "node:buffer";
import { randomBytes, scrypt as scryptCallback, scryptSync, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { Parameters, PasswordAlgorithm } from "./algorithm.ts";
import { checkPassword } from "./password.ts";
import { formatScrypt, parseScrypt, scryptMemory } from "./scrypt_format.ts";

const scryptAsync = promisify(scryptCallback) as (
  password: string,
  salt: Uint8Array,
  length: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

const KEY_BYTES = 32;

/** With fewer bytes of a stored hash, too many passwords would do. */
const MIN_KEY_BYTES = 4;

/** Bytes that a stored hash may ask for. */
const MAX_MEMORY = 2 ** 31;

/** scrypt: its cost is time and memory. `node:crypto` computes it outside of the thread. */
export const scrypt: PasswordAlgorithm = {
  name: "scrypt",
  parameters: {
    cost: {
      description: "binary logarithm of N: one more takes twice the time and memory",
      default: 14,
      min: 1,
      max: 30,
    },
    blockSize: {
      description: "block size, in units of 128 bytes: the memory is 128 * N * blockSize bytes",
      default: 8,
      min: 1,
      max: 1024,
    },
    parallelism: {
      description: "times the work is done, one after the other, in the same memory",
      default: 1,
      min: 1,
      max: 1024,
    },
  },
  check: (password) => checkPassword(password, { maxBytes: Infinity, nul: true }),
  memoryOf: (parameters) => scryptMemory(namedByScrypt(parameters)),
  async hash(password, parameters) {
    const { N, r, p } = namedByScrypt(parameters);
    const salt = randomBytes(16);
    const key = await scryptAsync(password, salt, KEY_BYTES, limited({ N, r, p }));
    return formatScrypt({ N, r, p, salt, key });
  },
  hashSync(password, parameters) {
    const { N, r, p } = namedByScrypt(parameters);
    const salt = randomBytes(16);
    const key = scryptSync(password, salt, KEY_BYTES, limited({ N, r, p }));
    return formatScrypt({ N, r, p, salt, key });
  },
  prefix: /^\$scrypt\$/,
  checkHash(hash, intent) {
    const parsed = parseScrypt(hash);
    if (parsed === undefined) {
      throw new TypeError(
        `Cannot ${intent} as its scrypt hash is not in the form $scrypt$ln=14,r=8,p=1$salt$key`,
      );
    }
    const { N, r, p, key } = parsed;
    if (key.length < MIN_KEY_BYTES) {
      throw new TypeError(
        `Cannot ${intent} as its scrypt hash is shorter than ${MIN_KEY_BYTES} bytes`,
      );
    }
    const isPossible = N >= 2 && N <= 2 ** 30 && r >= 1 && p >= 1 && r * p < 2 ** 30 &&
      scryptMemory(parsed) <= MAX_MEMORY;
    if (isPossible) return;
    throw new RangeError(
      `Cannot ${intent} as its hash asks for too much time or memory, or for none`,
    );
  },
  async verify(password, hash) {
    const { salt, key, ...parameters } = parseScrypt(hash)!;
    return timingSafeEqual(
      await scryptAsync(password, salt, key.length, limited(parameters)),
      key,
    );
  },
};

function namedByScrypt({ cost, blockSize, parallelism }: Required<Parameters>) {
  return { N: 2 ** cost, r: blockSize, p: parallelism };
}

/** Node allows less memory than this by default. */
function limited({ N, r, p }: { N: number; r: number; p: number }) {
  return { N, r, p, maxmem: scryptMemory({ N, r, p }) };
}
