// That no older value lands after a newer one: a call of the writer comes back when its statement is over.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher } from "../batcher.ts";
import { PostgresWriteError } from "../postgres.ts";
import { connectTo, serverTest } from "./_mortal.ts";
import {
  allReturned,
  assertUsable,
  awaitedWriter,
  IGNORE,
  proxyTest,
  rowOf,
  USERS,
  WITH_KEY,
} from "./_faults.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import { until } from "./fixtures/hash_run.ts";

const UPDATE = { target: ["id"], action: "update" } as const;

/** Resolves when somebody has asked the server to end one of the backends. */
async function askedToEnd(sql: Sql, pids: readonly number[]): Promise<void> {
  const asked = `pg_terminate_backend.* pid = (${pids.join("|")}) `;
  await until(async () => {
    const { count } = await sql`select from pg_stat_activity where pid <> pg_backend_pid()
      and query ~ ${asked}`;
    return count > 0;
  });
}

async function isThere(sql: Sql, pid: number): Promise<boolean> {
  return (await sql`select from pg_stat_activity where pid = ${pid}`).count > 0;
}

/** Resolves with the backend of a statement on the schema's table that waits for a lock. */
async function waiting(sql: Sql): Promise<number> {
  let pid: number | undefined;
  await until(async () => {
    [{ pid } = { pid: undefined }] = await sql`select pid from pg_stat_activity
      where wait_event_type = 'Lock' and query like '%' || current_schema() || '.users%'`;
    return pid !== undefined;
  });
  return pid!;
}

serverTest(
  "postgresWriter() comes back from a stopped backend only when that is gone",
  async (server, sql) => {
    await sql.unsafe(WITH_KEY);
    await using own = await connectTo(server, { max: 1 });
    const writer = awaitedWriter(own, { ...USERS, conflict: UPDATE });
    const { signal: never } = new AbortController();
    await writer.send([{ id: 1, hash: "oldest" }], { id: "0", attempt: 1, signal: never });
    const [{ pid }] = await own`select pg_backend_pid() as pid`;
    const controller = new AbortController();
    Deno.kill(pid, "SIGSTOP");
    const { signal } = controller;
    const older = writer.send([{ id: 1, hash: "older" }], { id: "1", attempt: 1, signal });
    await settle(); // it is on its way to the backend, which has not begun with it
    controller.abort();
    await askedToEnd(sql, [pid]);
    assert(await isPending(older));
    assert(await isThere(sql, pid));
    Deno.kill(pid, "SIGCONT");
    const error = await rejection(older);
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.outcome, error.over], ["unknown", true]);
    assert(!await isThere(sql, pid));
    await writer.send([{ id: 1, hash: "newer" }], { id: "2", attempt: 1, signal: never });
    assertEquals([...await sql`select hash from users`], [{ hash: "newer" }]);
    await assertUsable(own);
  },
);

for (const conflict of [IGNORE, UPDATE]) {
  const fenced = conflict === UPDATE;
  proxyTest(
    `postgresWriter() with '${conflict.action}' ${
      fenced ? "ends the backend" : "leaves open whether the statement is over"
    } where the connection breaks`,
    async ({ sql, via, proxy, connect }) => {
      await sql.unsafe(WITH_KEY);
      const writer = awaitedWriter(via, { ...USERS, conflict });
      await writer.check();
      await using holder = await connect({ max: 1 });
      await holder.unsafe("begin; insert into users values (1, '')");
      const { signal } = new AbortController();
      const [connection] = proxy.connections;
      const sending = rejection(writer.send([rowOf(1)], { id: "1", attempt: 1, signal }));
      const pid = await waiting(sql);
      connection.cut();
      const error = await sending;
      assertInstanceOf(error, PostgresWriteError);
      assertEquals([error.outcome, error.over], ["unknown", fenced]);
      assertEquals(await isThere(sql, pid), !fenced);
      await holder`rollback`;
      await until(async () => !await isThere(sql, pid));
      assertEquals((await sql`select from users`).count, fenced ? 0 : 1);
    },
  );
}

proxyTest(
  "postgresWriter() does not take a statement for over where nobody can be asked any more",
  async ({ sql, via, proxy, connect }) => {
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: UPDATE });
    await writer.check();
    await using holder = await connect({ max: 1 });
    await holder.unsafe("begin; insert into users values (1, '')");
    const { signal } = new AbortController();
    const [connection] = proxy.connections;
    const sending = rejection(writer.send([rowOf(1)], { id: "1", attempt: 1, signal }));
    await waiting(sql);
    proxy.refuse();
    connection.cut();
    await via.end({ timeout: 0 });
    const error = await sending;
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.outcome, error.over], ["unknown", false]);
    await holder`rollback`;
    await proxy.accept();
  },
);

proxyTest(
  "postgresWriter() comes back at once with what no connection has taken",
  async ({ sql, via, connect }) => {
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: UPDATE });
    await writer.check();
    const key = Math.floor(1e9 * Math.random());
    await using holder = await connect({ max: 1 });
    await holder`select pg_advisory_lock(${key})`;
    const busy = via`select pg_advisory_lock(${key}), pg_advisory_unlock(${key})`.execute();
    await settle();
    const controller = new AbortController();
    const { signal } = controller;
    const sending = rejection(writer.send([rowOf(1)], { id: "1", attempt: 1, signal }));
    await settle();
    controller.abort();
    const error = await sending; // while the only connection is still busy
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.outcome, error.retryable, error.over], ["failed", true, true]);
    await holder`select pg_advisory_unlock(${key})`;
    await busy;
    await assertUsable(via);
    assertEquals((await sql`select from users`).count, 0);
  },
);

proxyTest(
  "postgresWriter() has the server cancel what waits, and keeps its connection",
  async ({ sql, via, proxy, connect }) => {
    await sql.unsafe(WITH_KEY);
    const writer = awaitedWriter(via, { ...USERS, conflict: UPDATE });
    await writer.check();
    await using holder = await connect({ max: 1 });
    await holder.unsafe("begin; insert into users values (1, '')");
    const controller = new AbortController();
    const { signal } = controller;
    const sending = rejection(writer.send([rowOf(1)], { id: "1", attempt: 1, signal }));
    await waiting(sql);
    const cancelling = proxy.nextConnection;
    controller.abort();
    // Its own side must be open until the server has closed it: PgBouncer 1.18 dies of the opposite
    const { toClient, toServer } = await cancelling;
    const first = await Promise.race([
      toClient.message("none").catch(() => "server"),
      toServer.message("none").catch(() => "client"),
    ]);
    assertEquals(first, "server");
    const error = await sending;
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.code, error.over], ["57014", true]);
    const { opened } = proxy;
    await assertUsable(via);
    assertEquals(proxy.opened, opened);
    await holder`rollback`;
  },
);

serverTest(
  "AsyncBatcher never has an older value land after one that it has told as saved",
  async (server, sql) => {
    await sql.unsafe(WITH_KEY);
    await using own = await connectTo(server, { max: 3 });
    const writer = awaitedWriter(own, { ...USERS, conflict: UPDATE });
    const batcher = new AsyncBatcher(writer, { timeout: 1_000, retry: false });
    const warm = await Promise.all([1, 2].map(() => own`select pg_backend_pid() as pid`));
    const pids = warm.map(([{ pid }]) => pid as number);
    // Prepares the statement on both
    await Promise.all([1, 2].map(async (id) => {
      const { signal } = new AbortController();
      await writer.send([{ id, hash: "0" }], { id: "0", attempt: 1, signal });
    }));
    // Idle: they take no notice of a request to cancel, and read the statement afterwards
    for (const pid of pids) Deno.kill(pid, "SIGSTOP");
    let saved = 0;
    const ends = Promise.allSettled([1, 2, 3].map(async (value) => {
      await batcher.add({ id: 1, hash: String(value) });
      saved = value;
    }));
    await askedToEnd(sql, pids);
    for (const pid of pids) Deno.kill(pid, "SIGCONT");
    const [first] = await ends;
    await batcher.close();
    await allReturned();
    await until(async () =>
      (await Promise.all(pids.map((pid) => isThere(sql, pid)))).includes(false)
    );
    assertEquals((first as PromiseRejectedResult).reason?.outcome, "unknown");
    const [{ hash }] = await sql`select hash from users where id = 1`;
    assert(Number(hash) >= saved, `${saved} is saved, and ${hash} is there`);
  },
);
