import { assert, assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher, type AsyncBatcherOptions, type BatchReport } from "../batcher.ts";
import type { PostgresWriteError, Row } from "../postgres.ts";
import { connectTo, serverTest } from "./_mortal.ts";
import type { Need } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import {
  assertContract,
  assertUsable,
  awaitedWriter,
  IGNORE,
  range,
  rowOf,
  saveAll,
  tally,
  USERS,
  WITH_KEY,
  WITHOUT_KEY,
} from "./_faults.ts";
import { rejection } from "./_helpers.ts";
import { until } from "./fixtures/hash_run.ts";
import type { MortalServer } from "./fixtures/mortal_server.ts";
import { succeeds } from "./fixtures/programs.ts";

const RETRY = { maxAttempts: Infinity, minDelay: 5, maxDelay: 50 };

/** A small disk. Root may have one, but not in every container. */
const DISK: Need = { name: "the right to mount", met: await canMount() };

async function canMount(): Promise<boolean> {
  if (!allowed || Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const path = await Deno.makeTempDir({ prefix: "burst-test-disk-" });
  const can = await succeeds("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path]) &&
    await succeeds("umount", [path]);
  await Deno.remove(path);
  return can;
}

/** Connects until the server refuses. */
async function takeAllConnections(
  server: MortalServer,
  connections: AsyncDisposableStack,
): Promise<void> {
  for (;;) {
    try {
      connections.use(await connectTo(server, { max: 1 }));
    } catch (error) {
      return assertEquals((error as { code?: string }).code, "53300");
    }
  }
}

/** Has the statement prepared, so that the values leave with the next one, and do not wait. */
async function prepareStatement(
  sql: Sql,
  batcher: Parameters<typeof saveAll>[0],
): Promise<void> {
  await saveAll(batcher, [0]);
  await sql`delete from users`;
}

/** Resolves with the backend of a statement that waits for the lock. */
async function backendThatWaits(sql: Sql): Promise<number> {
  let pid: number | undefined;
  await until(async () => {
    [{ pid } = { pid: undefined }] =
      await sql`select pid from pg_locks where not granted and relation = 'users'::regclass`;
    return pid !== undefined;
  });
  return pid!;
}

serverTest("MortalServer keeps what was committed", async (server, sql) => {
  await sql`create table users (id int)`;
  for (const id of range(3)) {
    await sql`insert into users values (${id})`;
    await server.kill();
    await rejection(sql`select 1`);
    await server.restart();
    assertEquals((await sql`select from users`).count, id + 1);
  }
});

serverTest("AsyncBatcher calls rows unknown whose backend is killed", async (server, sql) => {
  await sql.unsafe(WITHOUT_KEY);
  await using own = await connectTo(server, { max: 1 });
  const { batcher } = await prepare(own, {});
  await prepareStatement(sql, batcher);
  await using locker = await connectTo(server, { max: 1 });
  await locker.unsafe("begin; lock table users");
  const saving = saveAll(batcher, range(10));
  Deno.kill(await backendThatWaits(sql), "SIGKILL");
  const endings = await saving;
  assertEquals(tally(endings), { added: 10, saved: 0, failed: 0, unknown: 10, unsent: 0 });
  // The server has ended the other connections as well, and comes back by itself
  await until(() => assertUsable(sql).then(() => true, () => false));
  await assertContract(sql, endings);
  assertEquals((await sql`select from users`).count, 0);
});

serverTest("AsyncBatcher saves rows with a key whose backend is killed", async (server, sql) => {
  await sql.unsafe(WITH_KEY);
  await using own = await connectTo(server, { max: 1 });
  const { batcher, reports } = await prepare(own, { conflict: IGNORE });
  await prepareStatement(sql, batcher);
  await using locker = await connectTo(server, { max: 1 });
  await locker.unsafe("begin; lock table users");
  const saving = saveAll(batcher, range(2000));
  Deno.kill(await backendThatWaits(sql), "SIGKILL");
  const endings = await saving;
  assertEquals(tally(endings).saved, 2000);
  assert(reports.some(({ outcome }) => outcome === "unknown"));
  await until(() => assertUsable(sql).then(() => true, () => false));
  await assertContract(sql, endings);
  await assertUsable(own);
});

for (const [key, table] of [["without", WITHOUT_KEY], ["with", WITH_KEY]]) {
  serverTest(
    `AsyncBatcher keeps its account ${key} a key where the server is killed while saving`,
    async (server, sql) => {
      await sql.unsafe(table);
      await using own = await connectTo(server);
      const conflict = table === WITH_KEY ? IGNORE : undefined;
      const started = Promise.withResolvers<void>();
      const { batcher, reports } = await prepare(own, { conflict }, { maxItems: 20 }, started);
      // More than are saved while the server is being killed
      const saving = saveAll(batcher, range(20_000));
      await started.promise;
      await server.kill();
      await server.restart();
      const endings = await saving;
      const account = tally(endings);
      assert(account.saved > 0, JSON.stringify(account));
      if (table === WITH_KEY) assertEquals(account.saved, 20_000);
      assert(reports.some(({ outcome }) => outcome !== "saved"), "nothing was broken");
      await until(() => assertUsable(sql).then(() => true, () => false));
      await assertContract(sql, endings);
      await assertUsable(own);
    },
  );
}

serverTest(
  "AsyncBatcher says that rows were not saved if no server is there",
  async (server, sql) => {
    await sql.unsafe(WITHOUT_KEY);
    await using own = await connectTo(server);
    const { batcher, reports } = await prepare(own, {}, { retry: false, timeout: 30_000 });
    await server.kill();
    // While it ends, it still takes connections, and resets them.
    await until(async () => {
      const all = await Promise.allSettled(range(4).map(() => own`select 1`));
      return all.every((one) => "reason" in one && one.reason.code === "ECONNREFUSED");
    });
    const endings = await saveAll(batcher, range(10));
    assertEquals(tally(endings), { added: 10, saved: 0, failed: 10, unknown: 0, unsent: 0 });
    assertEquals((reports[0].error as PostgresWriteError).code, "ECONNREFUSED");
    await server.restart();
    assertEquals(tally(await saveAll(batcher, [10])).saved, 1);
    await until(() => assertUsable(sql).then(() => true, () => false));
    await assertContract(sql, new Map([...endings, [10, "saved"]]));
  },
);

serverTest("AsyncBatcher saves rows when there are connections again", async (server, sql) => {
  await sql.unsafe(WITHOUT_KEY);
  await using own = await connectTo(server, { max: 1 });
  const again = Promise.withResolvers<void>();
  const { batcher, reports } = await prepare(own, {}, {
    timeout: 30_000,
    onBatch: (report) => reports.push(report) === 2 && again.resolve(),
  });
  const [{ pid }] = await own`select pg_backend_pid() as pid`;
  await using all = new AsyncDisposableStack();
  await takeAllConnections(server, all);
  await sql`select pg_terminate_backend(${pid}, 10000)`;
  await takeAllConnections(server, all);
  const saving = saveAll(batcher, range(10));
  await again.promise;
  await all.disposeAsync();
  assertEquals(tally(await saving).saved, 10);
  const codes = reports.slice(0, -1).map(({ error }) => (error as PostgresWriteError).code);
  assertEquals(new Set(codes), new Set(["53300"]));
  await assertContract(sql, await saving);
}, { settings: { max_connections: 12 } });

serverTest("AsyncBatcher calls rows unknown where the server is frozen", async (server, sql) => {
  await sql.unsafe(WITHOUT_KEY);
  await using own = await connectTo(server);
  const { batcher } = await prepare(own, {}, { timeout: 200 });
  await server.freeze();
  const endings = await saveAll(batcher, range(10));
  assertEquals(tally(endings), { added: 10, saved: 0, failed: 0, unknown: 10, unsent: 0 });
  await server.thaw();
  await assertUsable(own);
  await assertContract(sql, endings);
});

serverTest("AsyncBatcher saves rows when a frozen server goes on", async (server, sql) => {
  await sql.unsafe(WITH_KEY);
  await using own = await connectTo(server);
  const refused = Promise.withResolvers<void>();
  const { batcher, reports } = await prepare(own, { conflict: IGNORE }, {
    maxItems: 20,
    timeout: 300,
    onBatch: (report) => reports.push(report) === 12 && refused.resolve(),
  });
  await server.freeze();
  const saving = Promise.all(range(200).map((id) => batcher.add(rowOf(id))));
  await refused.promise;
  await server.thaw();
  // Also those that a frozen backend saves after all, while they are sent again
  assertEquals(new Set(await saving), new Set(["inserted"]));
  assert(reports.filter(({ outcome }) => outcome !== "saved").length >= 12);
  await assertUsable(own);
  await until(() => assertUsable(sql).then(() => true, () => false));
  await assertContract(sql, new Map(range(200).map((id) => [id, "saved"])));
});

/** A file system of a few megabytes; only root may have one. */
async function smallDisk(dataDir: string): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "burst-test-disk-" });
  const run = async (command: string, ...args: string[]) => {
    const { success, stderr } = await new Deno.Command(command, { args }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  await run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path);
  const { uid, gid } = await Deno.stat(dataDir);
  await Deno.chown(path, uid, gid);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run("umount", "--lazy", path);
      await Deno.remove(path);
    },
  };
}

serverTest("AsyncBatcher saves rows when there is room on the disk again", async (server, sql) => {
  await using disk = await smallDisk(server.dataDir);
  const filler = `${disk.path}/filler`;
  await Deno.mkdir(`${disk.path}/data`);
  const { uid, gid } = await Deno.stat(server.dataDir);
  await Deno.chown(`${disk.path}/data`, uid, gid);
  await sql.unsafe(`create tablespace small location '${disk.path}/data'`);
  await sql.unsafe(`${WITHOUT_KEY} tablespace small`);
  await using own = await connectTo(server);
  const full = Promise.withResolvers<void>();
  const { batcher, reports } = await prepare(own, {}, {
    maxItems: 100,
    timeout: 30_000,
    onBatch: (report) => reports.push(report) === 4 && full.resolve(),
  });
  await Deno.writeFile(filler, new Uint8Array(8_000_000)).catch(() => {});
  const saving = saveAll(batcher, range(1_000));
  await full.promise;
  await Deno.remove(filler);
  const endings = await saving;
  assertEquals(tally(endings).saved, 1_000);
  const codes = reports.slice(0, 4).map(({ error }) => (error as PostgresWriteError)?.code);
  assertEquals(codes, ["53100", "53100", "53100", "53100"]);
  await assertContract(sql, endings);
  await sql`drop table users`;
  await sql`drop tablespace small`;
}, { needs: [DISK] });

async function prepare(
  sql: Sql,
  writing: { conflict?: typeof IGNORE },
  options: AsyncBatcherOptions<Row> = {},
  firstSaved?: PromiseWithResolvers<void>,
) {
  const reports: BatchReport[] = [];
  const writer = awaitedWriter(sql, { ...USERS, ...writing });
  await writer.check();
  const onBatch = (report: BatchReport) => {
    reports.push(report);
    if (report.outcome === "saved") firstSaved?.resolve();
  };
  // What is written to a connection that has failed and is not yet closed is never answered
  const timeout = 500;
  const settings = { retry: RETRY, timeout, onBatch, ...options };
  const batcher = new AsyncBatcher(writer, settings);
  return { batcher, reports };
}
