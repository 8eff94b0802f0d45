import { assert, assertEquals } from "@std/assert";
import { AsyncBatcher, type AsyncBatcherOptions, type BatchReport } from "../batcher.ts";
import {
  postgresOptions,
  postgresWriter,
  type PostgresWriterOptions,
  type Row,
} from "../postgres.ts";
import {
  assertContract,
  assertUsable,
  IGNORE,
  type Lines,
  proxyTest,
  range,
  saveAll,
  tally,
  USERS,
  WITH_KEY,
  WITHOUT_KEY,
} from "./_faults.ts";
import { rejection } from "./_helpers.ts";
import type { ProxiedConnection } from "./fixtures/fault_proxy.ts";

const RETRY = { maxAttempts: 20, minDelay: 5, maxDelay: 20 };
const COPY = { method: "copy" } as const;
/** The method "copy" reserves connections, which the driver cannot open without its types. */
const TYPES = { fetch_types: true };
const UNKNOWN = { added: 10, saved: 0, failed: 0, unknown: 10, unsent: 0 };

async function prepare(
  { via }: Pick<Lines, "via">,
  writing: Partial<PostgresWriterOptions>,
  options: AsyncBatcherOptions<Row> = {},
) {
  const reports: BatchReport[] = [];
  const writer = postgresWriter(via, { ...USERS, ...writing });
  await writer.check();
  const onBatch = (report: BatchReport) => void reports.push(report);
  const batcher = new AsyncBatcher(writer, { retry: RETRY, onBatch, ...options });
  return { batcher, reports };
}

type Moment = [when: string, there: number, reach: (on: ProxiedConnection) => Promise<void>];

/** Where a connection may break under a COPY, and how many of ten rows are in the table then. */
const IN_COPY: Moment[] = [
  ["before it begins", 0, ({ toServer }) => toServer.holdBefore("Q")],
  ["before its rows", 0, ({ toServer }) => toServer.holdBefore("d")],
  ["before its end", 0, ({ toServer }) => toServer.holdBefore("c")],
  ["after the commit", 10, ({ toClient }) => toClient.holdBefore("C")],
  ["before the server is ready", 10, ({ toClient }) => toClient.holdBefore("Z")],
];

/** The same under single rows, in the midst of them. */
const IN_ROWS: Moment[] = [
  ["before a row reaches the server", 4, ({ toServer }) => toServer.holdBefore("B", 5)],
  ["before the server is told to go on", 4, ({ toServer }) => toServer.holdBefore("S", 5)],
  ["before an answer", 10, ({ toClient }) => toClient.holdBefore("Z", 5)],
];

for (const fault of ["cut", "reset"] as const) {
  for (const [when, there, reach] of IN_COPY) {
    proxyTest(
      `postgresWriter() calls the rows of a COPY unknown if a ${fault} comes ${when}`,
      async (lines) => {
        const { sql, via, proxy } = lines;
        await sql.unsafe(WITHOUT_KEY);
        const { batcher } = await prepare(lines, COPY);
        const [connection] = proxy.connections;
        const reached = reach(connection);
        const saving = saveAll(batcher, range(10));
        await reached;
        connection[fault]();
        assertEquals(tally(await saving), UNKNOWN);
        assertEquals((await sql`select from users`).count, there);
        await assertContract(sql, await saving);
        await assertUsable(via);
      },
      TYPES,
    );
  }

  for (const [when, there, reach] of IN_ROWS) {
    proxyTest(
      `postgresWriter() keeps its account of "rows" if a ${fault} comes ${when}`,
      async (lines) => {
        const { sql, via, proxy } = lines;
        await sql.unsafe(WITHOUT_KEY);
        const { batcher } = await prepare(lines, { method: "rows" });
        const [connection] = proxy.connections;
        const reached = reach(connection);
        const saving = saveAll(batcher, range(10));
        await reached;
        connection[fault]();
        const endings = await saving;
        const { saved, unknown } = tally(endings);
        assertEquals(saved + unknown, 10);
        assert(unknown > 0);
        const { count } = await sql`select from users`;
        assert(count >= saved && count <= there, `${count} of ${there}`);
        await assertContract(sql, endings);
        await assertUsable(via);
      },
    );

    proxyTest(
      `postgresWriter() saves "rows" with a key once if a ${fault} comes ${when}`,
      async (lines) => {
        const { sql, via, proxy } = lines;
        await sql.unsafe(WITH_KEY);
        const { batcher, reports } = await prepare(lines, { method: "rows", conflict: IGNORE });
        const [connection] = proxy.connections;
        const reached = reach(connection);
        const saving = saveAll(batcher, range(10));
        await reached;
        connection[fault]();
        assertEquals(tally(await saving).saved, 10); // those that were unanswered alone are sent again
        assertEquals(reports[0].retried, true);
        await assertContract(sql, await saving);
        await assertUsable(via);
      },
    );
  }
}

for (const [method, moments] of [["copy", IN_COPY], ["rows", IN_ROWS]] as const) {
  for (const [when, , reach] of [moments[0], moments[2]]) {
    proxyTest(`postgresWriter() gives up on "${method}" where it stalls ${when}`, async (lines) => {
      const { sql, via, proxy } = lines;
      await sql.unsafe(WITHOUT_KEY);
      const { batcher } = await prepare(lines, { method }, { timeout: 200 });
      const [connection] = proxy.connections;
      const reached = reach(connection);
      const saving = saveAll(batcher, range(10));
      await reached;
      assertEquals(tally(await saving), UNKNOWN);
      // The watchdog resets the connection, and with it what was written after the rows
      if (method === "rows") await rejection(via`select 1`);
      await assertUsable(via);
      connection.cut();
      await assertContract(sql, await saving);
    }, { ...postgresOptions, fetch_types: method === "copy" });
  }
}

for (
  const [where, hold] of [
    ["before its rows", "lock table users"],
    ["after its last byte", "insert into users values (5, '')"],
  ]
) {
  proxyTest(`postgresWriter() has the server stop a COPY that waits ${where}`, async (lines) => {
    const { sql, via, proxy, connect } = lines;
    await sql.unsafe(WITH_KEY);
    const { batcher } = await prepare(lines, COPY, { timeout: 200 });
    await using locker = await connect({ max: 1 });
    await locker.unsafe(`begin; ${hold}`);
    const endings = await saveAll(batcher, range(10));
    assertEquals(tally(endings), UNKNOWN);
    await assertUsable(via); // while the lock is still held
    assertEquals(proxy.opened, 3); // by the same connection: the third is that which asks to cancel
    await locker`rollback`;
    await assertContract(sql, endings);
  }, TYPES);
}

proxyTest(
  "postgresWriter() bisects rows that a COPY has refused, where another one waits",
  async (lines) => {
    const { sql, via, connect } = lines;
    await sql.unsafe(WITH_KEY);
    await sql`insert into users values (103, 'hash of 103')`;
    const { batcher } = await prepare(lines, COPY, { timeout: 200 });
    await using locker = await connect({ max: 1 });
    await locker.unsafe("begin; insert into users values (108, '')");
    const endings = await saveAll(batcher, range(10, 100));
    assertEquals(endings.get(100), "saved");
    assertEquals(endings.get(103), "failed"); // it has a twin
    assertEquals(endings.get(108), "unknown");
    await assertUsable(via);
    await locker`rollback`;
    await sql`delete from users where id = 103`;
    await assertContract(sql, endings);
  },
  TYPES,
);
