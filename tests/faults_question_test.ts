// What becomes of questions to a server that does not answer.
import { assertEquals, assertInstanceOf } from "@std/assert";
import { AsyncBatcher } from "../batcher.ts";
import { describeTable, postgresLookup, postgresOptions, PostgresWriteError } from "../postgres.ts";
import { connect, databaseTest } from "./_database.ts";
import {
  assertUsable,
  awaitedWriter,
  IGNORE,
  proxyTest,
  rowOf,
  USERS,
  WITH_KEY,
} from "./_faults.ts";
import { fakeClock, rejection, settle } from "./_helpers.ts";
import { FaultProxy } from "./fixtures/fault_proxy.ts";

proxyTest(
  "postgresWriter() says that it has sent nothing where its first question is lost",
  async ({ sql, via, proxy }) => {
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
    const [connection] = proxy.connections;
    connection.stall();
    for (let attempt = 1; attempt <= 3; attempt++) {
      const controller = new AbortController();
      const { signal } = controller;
      const sending = writer.send([rowOf(1)], { id: "1", attempt, signal });
      await settle();
      controller.abort();
      const error = await rejection(sending);
      assertInstanceOf(error, PostgresWriteError);
      assertEquals([error.outcome, error.retryable, error.over], ["failed", true, true]);
    }
    connection.cut();
    const { signal } = new AbortController();
    assertEquals(await writer.send([rowOf(1)], { id: "1", attempt: 4, signal }), ["inserted"]);
    await assertUsable(via);
  },
);

proxyTest("AsyncBatcher saves rows though the first question is lost", async (lines) => {
  const { sql, proxy } = lines;
  await sql.unsafe(WITH_KEY);
  await using via = await lines.connect({ max: 1, ...postgresOptions });
  const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
  for (const connection of proxy.connections) connection.stall();
  const batcher = new AsyncBatcher(writer, {
    timeout: 200,
    retry: { maxAttempts: 20, minDelay: 5, maxDelay: 20 },
  });
  assertEquals(await batcher.add(rowOf(1)), "inserted");
  await assertUsable(via);
});

proxyTest("postgresLookup() is not unknown where it is not answered", async (lines) => {
  const { sql, via, proxy } = lines;
  await sql.unsafe(WITH_KEY);
  const lookup = postgresLookup(via, { table: "users", key: "id" });
  await lookup.check();
  const [connection] = proxy.connections;
  const reached = connection.toServer.holdBefore("P");
  const { signal } = new AbortController();
  const asking = rejection(lookup.send([1], { id: "1", attempt: 1, signal }));
  await reached;
  connection.cut();
  const error = await asking;
  assertInstanceOf(error, PostgresWriteError);
  assertEquals([error.outcome, error.retryable], ["failed", true]);
  await assertUsable(via);
});

databaseTest("describeTable() waits a limited time for an answer", async (sql) => {
  await using proxy = await FaultProxy.start(sql.options.host[0], sql.options.port[0]);
  await using via = await connect({ host: "127.0.0.1", port: proxy.port, max: 1 });
  const [connection] = proxy.connections;
  connection.stall();
  using clock = fakeClock(["setTimeout", "clearTimeout"]);
  const describing = rejection(describeTable(via, "users"));
  await settle();
  clock.tick(30_000);
  assertEquals(
    (await describing as Error).message,
    "Cannot describe a table as the server has not answered for 30 s",
  );
  connection.cut();
});

proxyTest("AsyncBatcher calls no row unknown that was not sent", async (lines) => {
  const { sql, via, proxy } = lines;
  await sql.unsafe(WITH_KEY);
  const writer = awaitedWriter(via, USERS);
  const [connection] = proxy.connections;
  connection.stall();
  await using batcher = new AsyncBatcher(writer, { timeout: 200, retry: false });
  // The question, and a row behind it
  for (const id of [1, 2]) {
    const error = await rejection(batcher.add(rowOf(id)));
    assertEquals((error as PostgresWriteError).outcome, "failed");
  }
  connection.cut();
  await assertUsable(via);
});
