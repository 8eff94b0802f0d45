import { assertEquals } from "@std/assert";
import { AsyncBatcher, type BatchReport } from "../batcher.ts";
import { postgresOptions } from "../postgres.ts";
import {
  assertContract,
  assertUsable,
  awaitedWriter,
  IGNORE,
  proxyTest,
  range,
  saveAll,
  seeLoss,
  tally,
  USERS,
  WITH_KEY,
} from "./_faults.ts";
import { settle } from "./_helpers.ts";

const RETRY = { maxAttempts: 20, minDelay: 5, maxDelay: 20 };

proxyTest(
  "postgresWriter() has the program go on where the server cannot be asked to stop",
  async (lines) => {
    const { sql, via, proxy } = lines;
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
    await writer.check();
    const [connection] = proxy.connections;
    connection.stall();
    proxy.refuse();
    const batcher = new AsyncBatcher(writer, {
      maxItems: 10,
      linger: 60_000, // all ten together
      timeout: 100,
      retry: false,
    });
    assertEquals(tally(await saveAll(batcher, range(10))).unknown, 10);
    await settle(); // an unhandled rejection would end the program
    await proxy.accept();
    connection.cut();
    await assertUsable(via);
  },
);

proxyTest(
  "postgresWriter() leaves a connection usable that opens while the batch is aborted",
  async (lines) => {
    const { sql, via, proxy } = lines;
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
    await writer.check();
    const opened = proxy.nextConnection;
    proxy.onOpen = (connection) => connection.stall();
    proxy.cut();
    await seeLoss(via);
    const gaveUp = Promise.withResolvers<BatchReport>();
    const batcher = new AsyncBatcher(writer, {
      timeout: 200,
      retry: RETRY,
      onBatch: gaveUp.resolve,
    });
    const saving = saveAll(batcher, range(10));
    const connection = await opened;
    assertEquals((await gaveUp.promise).outcome, "failed"); // nothing was sent
    proxy.onOpen = () => {};
    connection.resume();
    assertEquals(tally(await saving).saved, 10);
    await assertUsable(via);
    await assertContract(sql, await saving);
  },
);

proxyTest(
  "postgresWriter() resets a connection that stalls, so that its place in the pool is free",
  async (lines) => {
    const { sql, proxy } = lines;
    await using via = await lines.connect({ max: 1, ...postgresOptions });
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
    await writer.check();
    const batcher = new AsyncBatcher(writer, { timeout: 200, retry: RETRY });
    for (const connection of proxy.connections) connection.stall();
    const endings = await saveAll(batcher, range(10));
    assertEquals(tally(endings).saved, 10);
    await assertUsable(via);
    await assertContract(sql, endings);
  },
);
