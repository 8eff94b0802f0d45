/**
 * How many passwords to hash at once in one thread: the same passwords in groups of 1 to 8 lanes.
 *
 * ```sh
 * deno bench bench/lanes_bench.ts
 * ```
 *
 * At cost 4, to be quick: a hash of cost 8 takes 15.5 times as long.
 */
import { BcryptLanes } from "../_internal/password/bcrypt_lanes.ts";

/** It is divisible by every number of lanes. */
const PASSWORDS = 840;

const engine = new BcryptLanes();
const inputs = Array.from({ length: PASSWORDS }, (_, i) => ({
  password: `password ${i}`,
  salt: crypto.getRandomValues(new Uint8Array(16)),
}));

for (let lanes = 1; lanes <= 8; lanes++) {
  Deno.bench({
    name: `${PASSWORDS} passwords, ${lanes} at once`,
    group: "lanes",
    baseline: lanes === 1,
    n: 5,
    warmup: 1,
  }, () => {
    for (let from = 0; from < PASSWORDS; from += lanes) {
      engine.hash(inputs.slice(from, from + lanes), 4);
    }
  });
}
