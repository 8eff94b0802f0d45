import { assertEquals, assertInstanceOf } from "@std/assert";
import { AsyncBatcher, OutcomeError } from "../batcher.ts";
import { PostgresWriteError, postgresWriter } from "../postgres.ts";
import { connect, databaseTest } from "./_database.ts";
import { rejection } from "./_helpers.ts";

databaseTest(
  "postgresWriter() says that the server is out of reach, and that nothing was sent",
  async (sql) => {
    await sql`create table users (id int)`;
    await using ended = await connect();
    await ended.end();
    const error = await rejection(
      postgresWriter(ended, { table: "users", columns: ["id"] }).check(),
    );
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.code, error.outcome], ["CONNECTION_ENDED", "failed"]);
  },
);

databaseTest(
  "postgresWriter() calls the outcome unknown where the backend is killed",
  async (sql) => {
    await sql`create table users (id int)`;
    await sql`create function slow() returns trigger language plpgsql as
    'begin perform pg_sleep(30); return new; end'`;
    await sql`create trigger slow before insert on users for each row execute function slow()`;
    const writer = postgresWriter(sql, { table: "users", columns: ["id"] });
    const batcher = new AsyncBatcher(writer);
    const added = rejection(batcher.add({ id: 1 }));
    await using admin = await connect({ max: 1 });
    for (;;) {
      const killed = await admin`select pg_terminate_backend(pid) from pg_stat_activity
      where wait_event = 'PgSleep' and pid <> pg_backend_pid() and query like '%unnest%'
      and query like ${`%${sql.options.connection.search_path}%`}`;
      if (killed.length > 0) break;
    }
    const error = await added;
    assertInstanceOf(error, PostgresWriteError);
    assertEquals(error.outcome, "unknown");
    assertEquals(await batcher.close(), { added: 1, saved: 0, failed: 0, unknown: 1, unsent: 0 });
  },
);

databaseTest("postgresWriter() asks the server to stop what is aborted", async (sql) => {
  await sql`create table users (id int)`;
  const writer = postgresWriter(sql, { table: "users", columns: ["id"] });
  await writer.check();
  await using locker = await connect({
    max: 1,
    connection: { search_path: sql.options.connection.search_path },
  });
  await locker`begin`;
  await locker`lock table users`;
  const batcher = new AsyncBatcher(writer);
  const added = rejection(batcher.add({ id: 1 }));
  await using admin = await connect({ max: 1 });
  const waiting = () =>
    admin`select 1 from pg_locks where not granted and relation = ${`${sql.options.connection.search_path}.users`}::regclass`;
  while ((await waiting()).length === 0 && batcher.inFlight > 0);
  assertEquals((await batcher.abort()).unknown, 1);
  await added;
  while ((await waiting()).length > 0);
  await locker`rollback`;
});

Deno.test("PostgresWriteError says what a code means for the rows", () => {
  const cases: [string, "failed" | "unknown", boolean][] = [
    ["40001", "failed", true],
    ["40P01", "failed", true],
    ["40003", "unknown", true],
    ["53300", "failed", true],
    ["55P03", "failed", true],
    ["57P01", "unknown", true],
    ["57P03", "failed", true],
    ["08006", "unknown", true],
    ["ECONNREFUSED", "failed", true],
    ["CONNECT_TIMEOUT", "failed", true],
    ["CONNECTION_CLOSED", "unknown", true],
    ["ECONNRESET", "unknown", true],
    ["22003", "failed", false],
    ["23505", "failed", false],
    ["28P01", "failed", false],
    ["3D000", "failed", false],
    ["42P01", "failed", false],
    ["57014", "failed", true],
    ["25006", "failed", true],
  ];
  for (const [code, outcome, retryable] of cases) {
    const error = new PostgresWriteError(code, "no");
    assertInstanceOf(error, OutcomeError);
    assertEquals([error.outcome, error.retryable], [outcome, retryable], code);
    assertEquals(error.bisectable, /^2[23]/.test(code), code);
  }
});
