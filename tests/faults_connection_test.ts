import { assert, assertEquals } from "@std/assert";
import {
  AsyncBatcher,
  type AsyncBatcherOptions,
  type BatchReport,
  type Outcome,
} from "../batcher.ts";
import type { PostgresWriterOptions, Row, RowOutcome } from "../postgres.ts";
import {
  assertContract,
  assertUsable,
  awaitedWriter,
  IGNORE,
  type Lines,
  proxyTest,
  range,
  saveAll,
  seeLoss,
  tally,
  USERS,
  WITH_KEY,
  WITHOUT_KEY,
} from "./_faults.ts";
import type { ProxiedConnection } from "./fixtures/fault_proxy.ts";

/** Ten rows go together, also where adding them takes longer than a turn may last. */
const TOGETHER = { maxItems: 10, linger: 60_000 };

const RETRY = { maxAttempts: 20, minDelay: 5, maxDelay: 20 };

/** A batcher by way of the proxy, all prepared, so that the next thing on the wire is a batch. */
async function prepare(
  { via }: Pick<Lines, "via">,
  writing: Partial<PostgresWriterOptions> = {},
  options: AsyncBatcherOptions<Row> = {},
): Promise<{ batcher: AsyncBatcher<Row, RowOutcome>; reports: BatchReport[] }> {
  const reports: BatchReport[] = [];
  const writer = awaitedWriter(via, { ...USERS, ...writing });
  await writer.check();
  const onBatch = (report: BatchReport) => void reports.push(report);
  const batcher = new AsyncBatcher(writer, { retry: RETRY, onBatch, ...options });
  return { batcher, reports };
}

/** Where a connection may break, and how many of ten rows are in the table then. */
const MOMENTS: [when: string, there: number, (connection: ProxiedConnection) => Promise<void>][] = [
  ["before the rows reach the server", 0, ({ toServer }) => toServer.holdBefore("B")],
  ["before the server is told to go on", 0, ({ toServer }) => toServer.holdBefore("S")],
  ["after the commit, before the answer", 10, ({ toClient }) => toClient.holdBefore("Z")],
];

for (const fault of ["cut", "reset"] as const) {
  for (const [when, there, reach] of MOMENTS) {
    proxyTest(`AsyncBatcher calls rows unknown if a ${fault} comes ${when}`, async (lines) => {
      const { sql, via, proxy } = lines;
      await sql.unsafe(WITHOUT_KEY);
      const { batcher, reports } = await prepare(lines, {}, TOGETHER);
      const [connection] = proxy.connections;
      const reached = reach(connection);
      const saving = saveAll(batcher, range(10));
      await reached;
      connection[fault]();
      const endings = await saving;
      assertEquals(tally(endings), { added: 10, saved: 0, failed: 0, unknown: 10, unsent: 0 });
      assertEquals(reports.map(({ retried }) => retried), [false]);
      assertEquals((await sql`select from users`).count, there);
      await assertContract(sql, endings);
      await assertUsable(via);
    });

    proxyTest(
      `AsyncBatcher saves rows with a key once if a ${fault} comes ${when}`,
      async (lines) => {
        const { sql, via, proxy } = lines;
        await sql.unsafe(WITH_KEY);
        const { batcher, reports } = await prepare(lines, { conflict: IGNORE }, TOGETHER);
        const [connection] = proxy.connections;
        const reached = reach(connection);
        const saving = saveAll(batcher, range(10));
        await reached;
        connection[fault]();
        const endings = await saving;
        assertEquals(tally(endings).saved, 10);
        assertEquals(reports.map(({ outcome }) => outcome), ["unknown", "saved"]);
        assertEquals(new Set(reports.map(({ id }) => id)).size, 1);
        await assertContract(sql, endings);
        await assertUsable(via);
      },
    );
  }
}

for (const lane of ["toServer", "toClient"] as const) {
  proxyTest(`AsyncBatcher keeps its account wherever bytes ${lane} are cut off`, async (lines) => {
    const { sql, proxy } = lines;
    await sql.unsafe(WITHOUT_KEY);
    const { batcher } = await prepare(lines);
    const [first] = proxy.connections;
    // The first batch prepares the statement; after it, every exchange is as long as the last
    await saveAll(batcher, [1]);
    const before = first[lane].bytes;
    await saveAll(batcher, [2]);
    const length = first[lane].bytes - before;
    const endings = new Map<number, Outcome>([[1, "saved"], [2, "saved"]]);
    const step = Math.max(1, Math.floor(length / 30));
    let cuts = 0;
    for (let bytes = 0; bytes < length; bytes += step) {
      const [prepared, broken] = [1000 + bytes, 2000 + bytes];
      endings.set(prepared, "saved");
      assertEquals(await saveAll(batcher, [prepared]), new Map([[prepared, "saved"]]));
      const [connection] = proxy.connections;
      connection[lane].dropAfter(bytes, "cut");
      const [[, outcome]] = await saveAll(batcher, [broken]);
      assertEquals(outcome, "unknown", `after ${bytes} of ${length} bytes`);
      endings.set(broken, outcome);
      await connection.closed;
      cuts++;
    }
    await assertContract(sql, endings);
    assert(cuts >= 20);
    // Without its last byte a batch is not saved; without that of the answer it is
    const { count } = await sql`select from users where id >= 2000`;
    assertEquals(count, lane === "toServer" ? 0 : cuts);
  });
}

proxyTest("AsyncBatcher sends rows later where no connection can be made", async (lines) => {
  const { sql, via, proxy } = lines;
  await sql.unsafe(WITHOUT_KEY);
  const again = Promise.withResolvers<void>();
  const { batcher, reports } = await prepare(lines, {}, {
    retry: { maxAttempts: Infinity, minDelay: 5, maxDelay: 20 },
    onBatch: (report) => reports.push(report) === 2 && again.resolve(),
  });
  proxy.refuse();
  proxy.cut();
  await seeLoss(via);
  const saving = saveAll(batcher, range(10));
  await again.promise;
  await proxy.accept();
  assertEquals(tally(await saving).saved, 10);
  await assertContract(sql, await saving);
});

proxyTest("AsyncBatcher waits through a slow network", async (lines) => {
  const { sql, proxy } = lines;
  await sql.unsafe(WITHOUT_KEY);
  const { batcher } = await prepare(lines, {}, { maxItems: 10, retry: false });
  for (const { toServer, toClient } of proxy.connections) toServer.delay = toClient.delay = 10;
  const endings = await saveAll(batcher, range(100));
  assertEquals(tally(endings).saved, 100);
  await assertContract(sql, endings);
});

proxyTest("AsyncBatcher gives up waiting for a connection that stalls", async (lines) => {
  const { sql, via, proxy } = lines;
  await sql.unsafe(WITHOUT_KEY);
  const { batcher } = await prepare(lines, {}, { ...TOGETHER, timeout: 100 });
  const [connection] = proxy.connections;
  connection.toClient.stall();
  const cancelling = proxy.nextConnection;
  const endings = await saveAll(batcher, range(10));
  assertEquals(tally(endings), { added: 10, saved: 0, failed: 0, unknown: 10, unsent: 0 });
  // The request to cancel would hit the next statement.
  await (await cancelling).closed;
  connection.resume();
  await assertUsable(via);
  await assertContract(sql, endings);
});

proxyTest("AsyncBatcher saves rows once by another connection if one stalls", async (lines) => {
  const { sql, proxy, connect } = lines;
  await sql.unsafe(WITH_KEY);
  await using via = await connect({ max: 2 });
  const { batcher, reports } = await prepare({ via }, { conflict: IGNORE }, {
    ...TOGETHER,
    timeout: 200,
  });
  for (const connection of proxy.connections) connection.stall();
  const cancelling = proxy.nextConnection;
  const endings = await saveAll(batcher, range(10));
  assertEquals(tally(endings).saved, 10);
  await (await cancelling).closed;
  const outcomes = reports.map(({ outcome }) => outcome);
  assertEquals([outcomes[0], outcomes.at(-1)], ["unknown", "saved"]);
  for (const connection of proxy.connections) connection.resume();
  await assertUsable(via);
  await assertContract(sql, endings);
});
