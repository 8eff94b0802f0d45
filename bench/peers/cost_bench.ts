/**
 * What an item costs in each peer, with a sink that does nothing and a promise for every item.
 *
 * ```sh
 * deno task --cwd bench/peers bench cost_bench.ts
 * ```
 */
import { addAll, COUNTS } from "./cost.ts";
import { burst } from "./burst.ts";
import { needsDatabase, PEERS } from "./peers.ts";

for (const count of COUNTS) {
  for (const peer of PEERS) {
    if (needsDatabase(peer)) continue;
    Deno.bench({
      name: `${peer.name}, ${count.toLocaleString("en")}`,
      group: `${count.toLocaleString("en")} items`,
      baseline: peer === burst,
      n: Math.max(2, 200_000 / count),
      warmup: count < 1_000_000 ? 2 : 0,
      async fn() {
        if (await addAll(peer, count) !== count) throw new Error(`${peer.name} lost an item`);
      },
    });
  }
}
