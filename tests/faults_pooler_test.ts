import { assertEquals, assertInstanceOf } from "@std/assert";
import type { Sql } from "postgres";
import {
  postgresLookup,
  postgresOptions,
  PostgresWriteError,
  postgresWriter,
} from "../postgres.ts";
import { connect, databaseTest, databaseUrl } from "./_database.ts";
import { assertUsable, IGNORE, rowOf, USERS, WITH_KEY } from "./_faults.ts";
import { rejection } from "./_helpers.ts";
import { account } from "./_hash.ts";
import { csv, range } from "./_users.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import { until } from "./fixtures/hash_run.ts";
import { PGBOUNCER, PgBouncer } from "./fixtures/pgbouncer.ts";
import { runHere } from "./fixtures/script_here.ts";

/** A test with a PgBouncer in front of the server. */
function poolerTest(
  name: string,
  pool: "session" | "transaction" | "statement",
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

/** What is said of a pooler that does not know prepared statements. */
const NOTE =
  "The pooler before the database does not know prepared statements: going on without them";

/** Collects warnings while something is done. */
async function warningsOf(fn: () => Promise<void>): Promise<unknown[]> {
  const { warn } = console;
  const warnings: unknown[] = [];
  console.warn = (text) => void warnings.push(text);
  try {
    await fn();
    return warnings;
  } finally {
    console.warn = warn;
  }
}

poolerTest(
  "postgresWriter() goes on without prepared statements where the pooler would lose them",
  "transaction",
  async ({ sql, pooler, schema }) => {
    await sql.unsafe(WITH_KEY);
    const address = { host: "127.0.0.1", port: pooler.port, max: 2 };
    await using via = await connect({ ...address, ...postgresOptions });
    const table = `${schema}.users`;
    const writer = postgresWriter(via, { ...USERS, table, conflict: IGNORE });
    const lookup = postgresLookup(via, { table, key: "id" });
    const { signal } = new AbortController();
    const warnings = await warningsOf(async () => {
      for (let id = 0; id < 100; id += 20) {
        const outcomes = await Promise.all(
          range(20).flatMap((i) => [
            writer.send([rowOf(id + i)], { id: "1", attempt: 1, signal }),
            lookup.send([id + i], { id: "1", attempt: 1, signal }).then(() => ["inserted"]),
          ]),
        );
        assertEquals(new Set(outcomes.flat()), new Set(["inserted"]));
      }
    });
    assertEquals(warnings, [NOTE]);
    const [{ count }] = await sql`select count(*)::int from users`;
    assertEquals(count, 100);
  },
);

databaseTest(
  "postgresWriter() goes on without prepared statements where one is lost",
  async (sql, schema) => {
    await sql.unsafe(WITH_KEY);
    await using one = await connect({ ...postgresOptions, max: 1 });
    const table = `${schema}.users`;
    const writer = postgresWriter(one, { ...USERS, table, conflict: IGNORE });
    const send = (id: number) =>
      writer.send([rowOf(id)], { id: "1", attempt: 1, signal: new AbortController().signal });
    await send(0);
    const warnings = await warningsOf(async () => {
      await one.unsafe("deallocate all");
      assertEquals((await Promise.all(range(9).map(send))).flat(), Array(9).fill("inserted"));
    });
    assertEquals(warnings, [NOTE]);
  },
);

for (const pool of ["session", "transaction", "statement"] as const) {
  poolerTest(
    `hash.ts and run.ts work through PgBouncer in ${pool} mode`,
    pool,
    async ({ sql, pooler, schema }) => {
      const url = new URL(databaseUrl());
      url.port = `${pooler.port}`;
      await sql`create table results (id text primary key, size bigint)`;
      await withFolder(async (folder) => {
        const [path, work] = [`${folder}/users.csv`, `${folder}/work.mjs`];
        await Deno.writeTextFile(path, csv(range(50)));
        await Deno.writeTextFile(work, "export default (row) => ({ size: row.id.length });");
        const flags = ["--database-url", url.href, "--json", "--workers", "1"];
        const create = ["--table", `${schema}.users`, "--create-table", "--cost", "4"];
        const hashed = await runHere("hash.ts", [path, ...flags, ...create]);
        assertEquals([hashed.code, hashed.stderr], [0, `${NOTE}\n`]);
        assertEquals(account(hashed.stdout), { read: 50, saved: 50, hashed: 50 });
        const table = ["--table", `${schema}.results`];
        const run = await runHere("run.ts", [work, path, ...flags, ...table]);
        assertEquals([run.code, run.stderr], [0, `${NOTE}\n`]);
        assertEquals(account(run.stdout), { read: 50, saved: 50, computed: 50 });
      });
    },
  );
}
