// What the writer says of rows that it sends again, as the answer to the first time never came.
import { assertEquals, assertInstanceOf } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher, type BatchReport, UnknownOutcomeError } from "../batcher.ts";
import { postgresWriter, type PostgresWriterOptions, type Row } from "../postgres.ts";
import { connect, databaseTest } from "./_database.ts";
import { type Lines, proxyTest, WITH_KEY } from "./_faults.ts";

const IGNORE = { target: ["id"], action: "ignore" } as const;
const UPDATE = { target: ["id"], action: "update" } as const;

/** Sends rows twice, as after an answer that was lost, and gives both answers. */
async function sendTwice(
  sql: Sql,
  rows: Row[],
  options: PostgresWriterOptions,
): Promise<[unknown, unknown]> {
  const writer = postgresWriter(sql, options);
  const { signal } = new AbortController();
  return [
    await writer.send(rows, { id: "1", attempt: 1, signal }),
    await writer.send(rows, { id: "2", attempt: 2, signal }), // as a part of it would be
  ];
}

for (const conflict of [IGNORE, UPDATE]) {
  const other = conflict === IGNORE ? "skipped" : "updated";

  databaseTest(
    `postgresWriter() with '${conflict.action}' knows its own rows when it sends them again`,
    async (sql) => {
      await sql.unsafe(WITH_KEY);
      await sql`insert into users values (2, 'old'), (3, null)`;
      const rows = [
        { id: 1, hash: "new" },
        { id: 2, hash: "new" },
        { id: 3, hash: "new" },
        { id: 4, hash: null },
        { id: 1, hash: "new" }, // the same key twice: one of them
      ];
      const [first, again] = await sendTwice(sql, rows, {
        table: "users",
        columns: ["id", "hash"],
        conflict,
      });
      const twice = conflict === IGNORE ? ["inserted", "skipped"] : ["skipped", "inserted"];
      assertEquals(first, [twice[0], other, other, "inserted", twice[1]]);
      assertEquals(again, first);
    },
  );

  databaseTest(
    `postgresWriter() with '${conflict.action}' takes no row for its own that was there before`,
    async (sql) => {
      await sql.unsafe(WITH_KEY);
      const rows = [{ id: 1, hash: "same" }];
      const options = { table: "users", columns: ["id", "hash"], conflict };
      const { signal } = new AbortController();
      // An earlier run of the same program on the same input
      await postgresWriter(sql, options).send(rows, { id: "1", attempt: 1, signal });
      const again = await postgresWriter(sql, options).send(rows, { id: "2", attempt: 2, signal });
      assertEquals(again, [other]);
    },
  );

  proxyTest(
    `AsyncBatcher with '${conflict.action}' tells what it inserted where the answer was lost`,
    async (lines) => {
      const { sql } = lines;
      await sql.unsafe(WITH_KEY);
      await sql`insert into users values (2, 'old')`;
      const { outcomes, reports } = await loseAnswer(lines, conflict, [
        { id: 1, hash: "new" },
        { id: 2, hash: "new" },
        { id: 3, hash: "new" },
      ]);
      assertEquals(outcomes, ["inserted", other, "inserted"]);
      assertEquals(reports.map(({ outcome }) => outcome), ["unknown", "saved"]);
    },
  );
}

proxyTest(
  "AsyncBatcher tells what it inserted where the batch is split after a lost answer",
  async (lines) => {
    const { sql } = lines;
    await sql.unsafe("create table users (id int primary key, hash text)");
    await sql`insert into users values (2, 'old')`;
    const { outcomes, reports } = await loseAnswer(lines, IGNORE, [
      { id: 1, hash: "new" },
      { id: 2, hash: "new" },
      { id: 3, hash: "new" },
    ], () => sql`alter table users add constraint no_two check (id <> 2) not valid`);
    assertEquals(outcomes.map((one) => one instanceof Error ? "error" : one), [
      "inserted",
      "error",
      "inserted",
    ]);
    assertEquals(reports[0].outcome, "unknown");
    assertEquals(reports.some(({ splitFrom }) => splitFrom !== undefined), true);
  },
);

/** Saves rows, and cuts the connection between the commit and the answer. */
async function loseAnswer(
  { via, proxy }: Lines,
  conflict: typeof IGNORE | typeof UPDATE,
  rows: Row[],
  meanwhile?: () => PromiseLike<unknown>,
): Promise<{ outcomes: unknown[]; reports: BatchReport[] }> {
  const writer = postgresWriter(via, { table: "users", columns: ["id", "hash"], conflict });
  await writer.check();
  const reports: BatchReport[] = [];
  await using batcher = new AsyncBatcher(writer, {
    // One batch, also where this thread is held up between two rows.
    maxItems: rows.length,
    linger: 60_000,
    retry: { maxAttempts: 20, minDelay: 5, maxDelay: 20 },
    onBatch: (report) => void reports.push(report),
  });
  const [connection] = proxy.connections;
  const committed = connection.toClient.holdBefore("Z");
  const ends = Promise.allSettled(rows.map((row) => batcher.add(row)));
  await committed;
  await meanwhile?.();
  connection.cut();
  const outcomes = (await ends).map((end) => end.status === "fulfilled" ? end.value : end.reason);
  return { outcomes, reports };
}

databaseTest("postgresWriter() knows its own rows whatever a column makes of them", async (sql) => {
  await sql`create collation if not exists folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`;
  await sql`create domain code as varchar(5) check (value <> 'bad')`;
  await sql.unsafe(`create table things (id numeric(6,1) primary key, price numeric(10,1),
    short varchar(3), fixed char(4), name text collate folding, code code, at timestamptz(0),
    ratio real, doc json, docs jsonb, image bytea, list int[], place point, flag boolean)`);
  const row = {
    id: "1.04",
    price: "1.06",
    short: "ab   ",
    fixed: "a",
    name: "Ann",
    code: "x",
    at: "2024-01-01 00:00:00.6+01",
    ratio: 0.1,
    doc: { b: 1, a: [1] },
    docs: { b: 1, a: [1] },
    image: new Uint8Array([0, 255]),
    list: [1, null],
    place: "(1,2)",
    flag: true,
  };
  const columns = Object.keys(row) as (keyof typeof row)[];
  const options = { table: "things", columns, conflict: IGNORE };
  const [first, again] = await sendTwice(sql, [row], options);
  assertEquals([first, again], [["inserted"], ["inserted"]]);
  const writer = postgresWriter(sql, options);
  await writer.check();
  const { signal } = new AbortController();
  const different = {
    price: "1.16",
    name: "ANN",
    at: "2024-01-01 00:00:01.6+01",
    doc: { a: [1], b: 1 },
    place: "(1,3)",
    flag: null,
  };
  for (const [column, value] of Object.entries(different)) {
    await sql`truncate things`;
    await writer.send([row], { id: "1", attempt: 1, signal });
    const changed = [{ ...row, [column]: value }];
    const again = await writer.send(changed, { id: "1", attempt: 2, signal });
    assertEquals(again, ["skipped"], column);
  }
});

databaseTest(
  "postgresWriter() knows its own rows in partitions and through a view",
  async (sql) => {
    await sql`create table parts (id int primary key, v text) partition by range (id)`;
    await sql`create table parts_a partition of parts for values from (0) to (10)`;
    await sql`create table parts_b partition of parts for values from (10) to (20)`;
    await sql`create table behind (id int primary key, v text)`;
    await sql`create view seen as select * from behind`;
    for (const table of ["parts", "seen"]) {
      await sql`insert into ${sql(table)} values (2, 'old')`;
      const rows = [1, 2, 12].map((id) => ({ id, v: "new" }));
      const options = { table, columns: ["id", "v"], conflict: IGNORE };
      const [first, again] = await sendTwice(sql, rows, options);
      assertEquals(first, ["inserted", "skipped", "inserted"], table);
      assertEquals(again, first, table);
    }
    await sql`truncate parts`;
    await sql`insert into parts values (2, 'old')`;
    const rows = [1, 2, 12].map((id) => ({ id, v: "new" }));
    const [first, again] = await sendTwice(sql, rows, {
      table: "parts",
      columns: ["id", "v"],
      conflict: UPDATE,
    });
    assertEquals([first, again], Array(2).fill(["inserted", "updated", "inserted"]));
  },
);

databaseTest(
  "postgresWriter() leaves open what it inserted where it cannot look",
  async (sql) => {
    await sql.unsafe(WITH_KEY);
    let fails = true;
    const own = {
      options: sql.options,
      unsafe(text: string, ...rest: never[]) {
        return sql.unsafe(fails && /as there/.test(text) ? "select 1/0" : text, ...rest);
      },
    } as unknown as Sql;
    const writer = postgresWriter(own, {
      table: "users",
      columns: ["id", "hash"],
      conflict: IGNORE,
    });
    const { signal } = new AbortController();
    const send = (ids: number[], attempt: number) =>
      writer.send(ids.map((id) => ({ id, hash: "new" })), { id: "1", attempt, signal });
    await send([1], 1);
    const [inserted, doubtful] = await send([2, 1], 2);
    assertEquals(inserted, "inserted");
    assertInstanceOf(doubtful, UnknownOutcomeError);
    assertEquals(doubtful.retryable, true);
    fails = false;
    assertEquals(await send([1], 3), ["inserted"]);
  },
);

databaseTest("postgresWriter() knows a row that another transaction commits late", async (sql) => {
  await sql.unsafe(WITH_KEY);
  const writer = postgresWriter(sql, { table: "users", columns: ["id", "hash"], conflict: IGNORE });
  await writer.check();
  const { search_path } = sql.options.connection;
  await using earlier = await connect({ max: 1, connection: { search_path } });
  // The statement of the first attempt, which is still at work when the second is sent
  await earlier.unsafe("begin; insert into users values (1, 'new')");
  const { signal } = new AbortController();
  const again = writer.send([{ id: 1, hash: "new" }], { id: "1", attempt: 2, signal });
  for (;;) {
    const { count } = await sql`select from pg_stat_activity
      where wait_event_type = 'Lock' and query like '%' || current_schema() || '.users%'`;
    if (count > 0) break;
  }
  await earlier.unsafe("commit");
  assertEquals(await again, ["inserted"]);
});
