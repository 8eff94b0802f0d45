// Faults of single statements and sessions, and bad rows under them.
import { assert, assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher, type BatchReport, type Outcome } from "../batcher.ts";
import { postgresOptions, type PostgresWriteError } from "../postgres.ts";
import {
  assertContract,
  assertUsable,
  awaitedWriter,
  IGNORE,
  proxyTest,
  range,
  rowOf,
  saveAll,
  tally,
  USERS,
  WITH_KEY,
  WITHOUT_KEY,
} from "./_faults.ts";
import { until } from "./fixtures/hash_run.ts";

const RETRY = { maxAttempts: Infinity, minDelay: 5, maxDelay: 20 };

for (const [setting, code] of [["lock_timeout", "55P03"], ["statement_timeout", "57014"]]) {
  proxyTest(`AsyncBatcher saves rows after a lock that lasts beyond ${setting}`, async (lines) => {
    const { sql, via, connect } = lines;
    await sql.unsafe(WITHOUT_KEY);
    const writer = awaitedWriter(via, USERS);
    await writer.check();
    const reports: BatchReport[] = [];
    const refusedTwice = Promise.withResolvers<void>();
    const batcher = new AsyncBatcher(writer, {
      retry: RETRY,
      onBatch: (report) => reports.push(report) === 2 && refusedTwice.resolve(),
    });
    await via.unsafe(`set ${setting} = '30ms'`);
    await using locker = await connect({ max: 1 });
    await locker.unsafe("begin; lock table users");
    const saving = saveAll(batcher, range(10));
    await refusedTwice.promise;
    await locker`rollback`;
    assertEquals(tally(await saving).saved, 10);
    const codes = reports.map(({ error }) => (error as PostgresWriteError | undefined)?.code);
    assertEquals(codes.slice(0, 2), [code, code]);
    await assertContract(sql, await saving);
  });
}

/** Ends one of the backends of an application, if possible one that is at work. */
async function terminateOne(sql: Sql, application: string): Promise<number> {
  const { count } = await sql`
    select pg_terminate_backend(pid, 10000) from pg_stat_activity
    where application_name = ${application} order by state = 'active' desc, random() limit 1`;
  return count;
}

for (const [key, table] of [["with", WITH_KEY], ["without", WITHOUT_KEY]]) {
  proxyTest(
    `AsyncBatcher keeps its account ${key} a key where backends are ended`,
    async (lines) => {
      const { sql, connect } = lines;
      await sql.unsafe(table);
      const application = `burst_${crypto.randomUUID()}`;
      const [{ search_path }] = await sql`show search_path`;
      await using via = await connect({
        max: 4,
        ...postgresOptions,
        connection: { search_path, application_name: application },
      });
      const writer = awaitedWriter(via, {
        ...USERS,
        conflict: table === WITH_KEY ? IGNORE : undefined,
      });
      await writer.check();
      let saved = 0;
      const terminating: Promise<number>[] = [];
      const batcher = new AsyncBatcher(writer, {
        maxItems: 10,
        retry: RETRY,
        onBatch({ outcome }) {
          if (outcome === "saved" && ++saved % 10 === 0) {
            terminating.push(terminateOne(sql, application));
          }
        },
      });
      const endings = await saveAll(batcher, range(2_000));
      const ended = (await Promise.all(terminating)).reduce((sum, count) => sum + count);
      assert(ended > 0, "nothing was ended");
      const account = tally(endings);
      if (table === WITH_KEY) assertEquals(account.saved, 2_000);
      else assertEquals(account.saved + account.unknown, 2_000);
      assert(account.saved > 0);
      await assertContract(sql, endings);
      // The last of those that were ended may be noticed only by the next statement
      await until(() => assertUsable(via).then(() => true, () => false));
    },
  );
}

proxyTest("AsyncBatcher finds the bad rows while connections break", async (lines) => {
  const { sql, proxy, connect } = lines;
  await sql.unsafe("create table users (id int primary key, hash text check (hash <> 'bad'))");
  await using via = await connect({ max: 4, ...postgresOptions });
  const writer = awaitedWriter(via, { ...USERS, conflict: IGNORE });
  await writer.check();
  const reports: BatchReport[] = [];
  const batcher = new AsyncBatcher(writer, {
    maxItems: 100,
    retry: RETRY,
    onBatch: (report) => void reports.push(report),
  });
  const bad = new Map([
    [7, { hash: "bad" }],
    [250, { id: 1e12 }],
    [251, { hash: "a\0b" }],
    [
      399,
      { hash: "bad" },
    ],
    [777, { id: "x" }],
    [998, { hash: "bad" }],
    [999, { id: null }],
  ]);
  const codes = new Map([
    [7, "23514"],
    [250, "22003"],
    [251, "22021"],
    [399, "23514"],
    [
      777,
      "22P02",
    ],
    [998, "23514"],
    [999, "23502"],
  ]);
  let broken = 0;
  for (const { toServer } of proxy.connections) toServer.dropAfter(2_000, "reset"); // within a batch
  proxy.onOpen = ({ toServer, toClient }) => {
    const lane = broken % 2 ? toServer : toClient;
    lane.dropAfter(2_000 + Math.random() * 10_000, broken++ % 3 ? "cut" : "reset");
  };
  const endings = new Map<number, Outcome>();
  const rejected = new Map<number, string>();
  await Promise.all(
    range(1_000).map(async (id) => {
      try {
        await batcher.add({ ...rowOf(id), ...bad.get(id) });
        endings.set(id, "saved");
      } catch (error) {
        rejected.set(id, (error as PostgresWriteError).code);
      }
    }),
  );
  assertEquals(new Map([...rejected].sort(([a], [b]) => a - b)), codes);
  assertEquals(tally(endings).saved, 993);
  assert(reports.some(({ outcome }) => outcome === "unknown"), "nothing was broken");
  assert(reports.some(({ split }) => split));
  await assertContract(sql, endings);
});
