/**
 * Saving rows to PostgreSQL through each peer, with a promise for every row that somebody awaits.
 *
 * ```sh
 * deno task --cwd bench/peers bench saves_bench.ts
 * ```
 */
import { burst } from "./burst.ts";
import { PEERS } from "./peers.ts";
import { CALLERS, ROWS, saveAll } from "./saves.ts";
import { createTableOnOwnServer, makeRows } from "./table.ts";

const table = await createTableOnOwnServer();
const rows = makeRows(ROWS);

for (const callers of [CALLERS, ROWS]) {
  for (const peer of PEERS) {
    Deno.bench({
      name: `${peer.name}, ${callers} callers`,
      group: `${ROWS} rows, ${callers} callers`,
      baseline: peer === burst,
      n: 10,
      warmup: 2,
      async fn(b) {
        await table.clear();
        const save = table.start(peer);
        b.start();
        await saveAll(save, rows, callers);
        b.end();
        if (await table.countWrong(rows) > 0) throw new Error(`${peer.name} lost or doubled a row`);
      },
    });
  }
}
