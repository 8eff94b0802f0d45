/**
 * What the pool gains over hashing on one thread, and what its messages cost: the same passwords one
 * after the other in this thread, all at once through `hash()`, and as a stream through `map()`.
 *
 * ```sh
 * deno bench -A bench/hash_pool_bench.ts
 * ```
 *
 * At cost 4 a hash takes 1.3 ms, so that whatever the pool adds shows there first.
 */
import { HashPool } from "../hash_pool.ts";
import { hashPasswordSync, randomPassword } from "../workload.ts";

for (const [cost, count] of [[4, 400], [8, 24], [10, 8]]) {
  const passwords = Array.from({ length: count }, (_, seed) => randomPassword({ seed }));
  const pool = new HashPool({ cost });
  const group = `${count} passwords at cost ${cost}`;
  // The workers are there and their code is compiled before anything is measured.
  await Promise.all(Array.from({ length: 16 * pool.workers }, () => pool.hash("warm-up")));

  Deno.bench({ name: `one thread, cost ${cost}`, group, baseline: true, n: 10, warmup: 1 }, () => {
    for (const password of passwords) hashPasswordSync(password, { cost });
  });

  Deno.bench({ name: `hash(), cost ${cost}`, group, n: 10, warmup: 1 }, async () => {
    await Promise.all(passwords.map((password) => pool.hash(password)));
  });

  Deno.bench({ name: `map(), cost ${cost}`, group, n: 10, warmup: 1 }, async () => {
    await Array.fromAsync(pool.map(passwords, (password) => password));
  });
}
