import { assertEquals, assertInstanceOf } from "@std/assert";
import type { Sql } from "postgres";
import { postgresOptions, PostgresWriteError, postgresWriter } from "../postgres.ts";
import { connect, databaseTest, databaseUrl } from "./_database.ts";
import { assertUsable, IGNORE, rowOf, USERS, WITH_KEY } from "./_faults.ts";
import { rejection } from "./_helpers.ts";
import { until } from "./fixtures/hash_run.ts";
import { PGBOUNCER, PgBouncer } from "./fixtures/pgbouncer.ts";

/** A test with a PgBouncer in front of the server. */
function poolerTest(
  name: string,
  pool: "session" | "transaction",
  fn: (lines: { sql: Sql; via: Sql; pooler: PgBouncer; schema: string }) => Promise<void>,
): void {
  databaseTest(name, async (sql, schema) => {
    await using pooler = await PgBouncer.start(databaseUrl(), { pool_mode: pool });
    const address = { host: "127.0.0.1", port: pooler.port, max: 1 };
    await until(() => connect(address).then((sql) => sql.end().then(() => true), () => false));
    await using via = await connect({ ...address, ...postgresOptions, prepare: false });
    await fn({ sql, via, pooler, schema });
  }, PGBOUNCER);
}

/** Holds a row back: whoever inserts one with this key waits. */
async function holdKey(schema: string, id: number) {
  const holder = await connect({ max: 1, connection: { search_path: schema } });
  await holder.unsafe(`begin; insert into users values (${id}, '')`);
  return holder;
}

/** Resolves with the backend of a statement that waits for a key of the schema. */
async function waiting(sql: Sql, schema: string): Promise<number> {
  let pid: number | undefined;
  await until(async () => {
    [{ pid } = { pid: undefined }] = await sql`select pid from pg_stat_activity
      where wait_event_type = 'Lock' and query like ${`%${schema}.users%`}`;
    return pid !== undefined;
  });
  return pid!;
}

for (const pool of ["session", "transaction"] as const) {
  poolerTest(
    `postgresWriter() aborts batches through PgBouncer in ${pool} mode, which goes on`,
    pool,
    async ({ sql, via, pooler, schema }) => {
      await sql.unsafe(WITH_KEY);
      const table = `${schema}.users`;
      const writer = postgresWriter(via, { ...USERS, table, conflict: IGNORE });
      await writer.check();
      for (let i = 0; i < 3; i++) {
        await using holder = await holdKey(schema, i);
        const controller = new AbortController();
        const { signal } = controller;
        const sending = rejection(writer.send([rowOf(i)], { id: "1", attempt: 1, signal }));
        await waiting(sql, schema);
        controller.abort();
        const error = await sending;
        assertInstanceOf(error, PostgresWriteError);
        assertEquals([error.code, error.over], ["57014", true]); // cancelled by the server
        await holder`rollback`;
        await assertUsable(via);
      }
      const isGone = await Promise.race([pooler.status.then(() => true), via`select 1`]);
      assertEquals(isGone === true, false);
    },
  );
}

poolerTest(
  "postgresWriter() does not take a statement for over that PgBouncer keeps to itself",
  "session",
  async ({ sql, via, pooler, schema }) => {
    await sql.unsafe(WITH_KEY);
    const table = `${schema}.users`;
    const conflict = { target: ["id"], action: "update" } as const;
    const writer = postgresWriter(via, { ...USERS, table, conflict });
    await writer.check();
    await using holder = await holdKey(schema, 1);
    const controller = new AbortController();
    const { signal } = controller;
    const sending = rejection(writer.send([rowOf(1)], { id: "1", attempt: 1, signal }));
    const pid = await waiting(sql, schema);
    Deno.kill(pid, "SIGSTOP"); // so that it can neither be cancelled nor ended
    try {
      controller.abort();
      const error = await sending;
      assertInstanceOf(error, PostgresWriteError);
      assertEquals([error.outcome, error.over], ["unknown", false]);
    } finally {
      Deno.kill(pid, "SIGCONT");
    }
    await holder`rollback`;
    await assertUsable(via);
    assertEquals(await Promise.race([pooler.status, via`select 1`.then(() => "alive")]), "alive");
  },
);
