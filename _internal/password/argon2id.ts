import type { PasswordAlgorithm } from "./algorithm.ts";
import { checkPassword } from "./password.ts";

/** KiB that the module can address: the most that a hash may ask for, too. */
const MAX_MEMORY = 2 ** 21;
const MAX_COST = 2 ** 16;

/** Argon2i and Argon2d are verified as well. The salt has at least 8 bytes, and the hash 4. */
const HASH =
  /^\$argon2(?:id|i|d)\$v=19\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,8})\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{6,}$/;

/**
 * Argon2id (RFC 9106): its cost is time and memory. It is computed by npm:hash-wasm, which needs no
 * permission and no addon, in any runtime. `@node-rs/argon2`, an addon, is about five times as fast,
 * but in Deno it needs `--allow-ffi`: that is, every permission. The defaults are what OWASP advises.
 */
export const argon2id: PasswordAlgorithm = {
  name: "argon2id",
  parameters: {
    cost: {
      description: "passes over the memory: the time grows with them",
      default: 2,
      min: 1,
      max: MAX_COST,
    },
    memory: {
      description: "memory in KiB, at least 8 for each lane: the time grows with it",
      default: 19_456,
      min: 8,
      max: MAX_MEMORY,
    },
    parallelism: {
      description: "lanes that the memory is divided into; they are computed one after the other",
      default: 1,
      min: 1,
      max: 255,
    },
  },
  check(password) {
    checkPassword(password, { maxBytes: Infinity, nul: true });
    if (password === "") throw new RangeError("Cannot hash an empty password with argon2id");
  },
  load,
  memoryOf: ({ memory }) => 1024 * memory,
  async hash(password, { cost, memory, parallelism }) {
    const { argon2id } = await load();
    return await argon2id({
      password,
      salt: crypto.getRandomValues(new Uint8Array(16)),
      iterations: cost,
      memorySize: Math.max(memory, 8 * parallelism),
      parallelism,
      hashLength: 32,
      outputType: "encoded",
    });
  },
  prefix: /^\$argon2/,
  checkHash(hash, intent) {
    const match = HASH.exec(hash);
    if (match === null) {
      throw new TypeError(
        `Cannot ${intent} as its Argon2 hash is not in the form $argon2id$v=19$m=19456,t=2,p=1$salt$hash`,
      );
    }
    const [memory, cost, lanes] = match.slice(1).map(Number);
    const isPossible = memory <= MAX_MEMORY && cost >= 1 && cost <= MAX_COST && lanes >= 1 &&
      lanes <= 255 && memory >= 8 * lanes;
    if (isPossible) return;
    throw new RangeError(
      `Cannot ${intent} as its hash asks for too much time or memory, or for none`,
    );
  },
  async verify(password, hash) {
    const { argon2Verify } = await load();
    return await argon2Verify({ password, hash });
  },
};

/** It is loaded when it is needed, as most programs do not need it. */
function load() {
  return import("hash-wasm");
}
