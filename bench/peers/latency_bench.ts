/**
 * The time from adding a row to its commit, through each peer, when rows are rare.
 *
 * ```sh
 * deno task --cwd bench/peers bench latency_bench.ts
 * ```
 */
import { burst } from "./burst.ts";
import { INTERVAL } from "./latency.ts";
import { PEERS } from "./peers.ts";
import { createTableOnOwnServer, makeRows } from "./table.ts";

const table = await createTableOnOwnServer();
const [row] = makeRows(1);

for (const peer of PEERS) {
  const save = table.start(peer);
  Deno.bench({
    name: peer.name,
    group: "a row",
    baseline: peer === burst,
    n: 200,
    warmup: 20,
    async fn(b) {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      b.start();
      await save(row);
      b.end();
    },
  });
}
