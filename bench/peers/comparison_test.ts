import { assertEquals } from "@std/assert";
import { databaseTest } from "../../tests/_database.ts";
import { formatComparison } from "./markdown.ts";
import type { Result } from "./measure.ts";
import type { Peer } from "./peer.ts";
import { PEERS } from "./peers.ts";
import { saveAll } from "./saves.ts";
import { createTable, makeRows } from "./table.ts";

databaseTest("Table.countWrong() is 0 after any of the peers", async (sql) => {
  await using table = await createTable({ sql });
  const rows = makeRows(1_200);
  for (const peer of PEERS) {
    for (const callers of [7, rows.length]) {
      await table.clear();
      await saveAll(table.start(peer), rows, callers);
      assertEquals([peer.name, callers, await table.countWrong(rows)], [peer.name, callers, 0]);
    }
  }
});

databaseTest("Table.countWrong() counts what is missing, and what is there twice", async (sql) => {
  await using table = await createTable({ sql });
  const rows = makeRows(10);
  const save = table.start(PEERS[0]);
  await saveAll(save, [...rows.slice(3), rows[7], rows[8]], 1);
  assertEquals(await table.countWrong(rows), 5);
});

function peer(name: string): Peer {
  return { ...PEERS[0], name, setup: `how ${name} is set up` };
}

/** The lines of a table with one column, as their cells. */
function cells(results: [Peer, Partial<Result>][]): string[][] {
  const whole = new Map(
    results.map(([peer, result]) => [peer, { figure: 1, runs: 3, wrong: 0, ...result }]),
  );
  const column = { title: "a", show: (figure: number) => `${figure} ms`, results: whole };
  const lines = formatComparison([...whole.keys()], [column]).split("\n");
  return lines.filter((line) => line.startsWith("|")).slice(2)
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

Deno.test("formatComparison() shows others as a multiple of the first, and the best bold", () => {
  const [ours, slow, fast] = ["ours", "slow", "fast"].map(peer);
  assertEquals(cells([[ours, { figure: 4 }], [slow, { figure: 9 }], [fast, { figure: 1 }]]), [
    ["ours", "4 ms"],
    ["slow", "2.25×"],
    ["fast", "**0.25×**"],
  ]);
});

Deno.test("formatComparison() marks one that loses rows, however fast", () => {
  const [ours, lossy] = ["ours", "lossy"].map(peer);
  assertEquals(cells([[ours, { figure: 4 }], [lossy, { figure: 1, wrong: 2 }]]), [
    ["ours", "**4 ms**"],
    ["lossy", "0.25× †"],
  ]);
});

Deno.test("formatComparison() marks one that was run less often than the others", () => {
  const [ours, slow] = ["ours", "slow"].map(peer);
  assertEquals(cells([[ours, { figure: 4 }], [slow, { figure: 40, runs: 1 }]]), [
    ["ours", "**4 ms**"],
    ["slow", "10.00× ¹"],
  ]);
});
