import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { AsyncBatcher, type BatchReport } from "../batcher.ts";
import { PostgresWriteError, postgresWriter, type Row } from "../postgres.ts";
import { connect, databaseTest, save } from "./_database.ts";
import { rejection, stillClock } from "./_helpers.ts";

/** The outcome of a row, or the code of its error. */
function codes(ends: readonly unknown[]): unknown[] {
  return ends.map((end) => end instanceof PostgresWriteError ? end.code : end);
}

databaseTest("postgresWriter() saves 99 of 100 rows where one cannot be saved", async (sql) => {
  const cases: [code: string, bad: Row][] = [
    ["23505", { id: 1, n: 5 }],
    ["22021", { id: 50, n: 5, note: "a\0b" }],
    ["22003", { id: 50, n: 99_999_999_999 }],
  ];
  for (const [code, bad] of cases) {
    await sql`drop table if exists things`;
    await sql`create table things (id int primary key, n int, note text)`;
    const rows: Row[] = Array.from(
      { length: 100 },
      (_, i) => ({ id: i, n: i, note: null, ...i === 50 && bad }),
    );
    const ends = codes(await save(sql, rows, { table: "things", columns: ["id", "n", "note"] }));
    const rejected = [...ends.keys()].filter((i) => ends[i] !== "inserted");
    assertEquals(rejected.map((i) => ends[i]), [code]);
    assertEquals(rejected, [50]);
    const [{ count }] = await sql`select count(*)::int from things`;
    assertEquals(count, 99);
  }
});

databaseTest(
  "postgresWriter() finds 7 bad rows of 4 kinds among 1,000, in few sends",
  async (sql) => {
    await sql`create table things (id int primary key, n smallint check (n >= 0), at date)`;
    await sql`insert into things values (-1, 0, null)`;
    const bad = new Map<number, [code: string, row: Row]>([
      [3, ["22003", { n: 70_000 }]],
      [99, ["23514", { n: -1 }]],
      [100, ["23514", { n: -2 }]],
      [500, ["23505", { id: -1 }]],
      [733, ["22003", { n: 80_000 }]],
      [998, ["22008", { at: "2024-02-30" }]],
      [999, ["22008", { at: "2023-02-29" }]],
    ]);
    const rows: Row[] = Array.from(
      { length: 1_000 },
      (_, i) => ({ id: i, n: i % 100, at: null, ...bad.get(i)?.[1] }),
    );
    const writer = postgresWriter(sql, { table: "things", columns: ["id", "n", "at"] });
    const reports: BatchReport[] = [];
    const batcher = new AsyncBatcher(writer, {
      maxItems: 1_000,
      linger: 60_000, // for all of them
      onBatch: (report) => reports.push(report),
    });
    const ends = await Promise.allSettled(rows.map((row) => batcher.add(row)));
    ends.forEach((end, i) => {
      const error = end.status === "rejected" ? end.reason : undefined;
      assertEquals(error?.code, bad.get(i)?.[0], `row ${i}`);
      assert(!Deno.inspect(error, { depth: 9, showHidden: true }).includes("70000"));
    });
    const { saved, failed } = await batcher.close();
    assertEquals([saved, failed], [993, 7]);
    const [{ count }] = await sql`select count(*)::int from things where id >= 0`;
    assertEquals(count, 993);
    // Bisecting takes 2 * log2(n) sends for each bad row at most, and less where they are neighbours.
    assert(reports.length <= 1 + 7 * 2 * 10, `${reports.length} sends`);
    assertEquals(reports.filter(({ splitFrom }) => splitFrom === undefined).length, 1);
  },
);

databaseTest("postgresWriter() bisects a row that row security refuses", async (sql, schema) => {
  await sql`create table things (id int, owner text)`;
  await sql`alter table things enable row level security`;
  await sql`create policy own on things with check (owner = 'me')`;
  const role = `role_${schema}`;
  await sql`create role ${sql(role)}`;
  try {
    await sql`grant usage on schema ${sql(schema)} to ${sql(role)}`;
    await sql`grant insert, select on things to ${sql(role)}`;
    await using as = await connect({ connection: { search_path: schema, role } as never });
    const rows = ["me", "you", "me"].map((owner, id) => ({ id, owner }));
    const ends = await save(as, rows, { table: "things", columns: ["id", "owner"] });
    assertEquals(codes(ends), ["inserted", "42501", "inserted"]);
    await sql`revoke insert on things from ${sql(role)}`;
    const refused = await save(as, rows, { table: "things", columns: ["id", "owner"] });
    assertEquals(codes(refused), ["42501", "42501", "42501"]);
    assertEquals(
      (refused[0] as Error).message,
      "Cannot save rows as the user may not INSERT column 'id' of table 'things': grant the right, or use another user",
    );
  } finally {
    await sql`drop owned by ${sql(role)}`;
    await sql`drop role ${sql(role)}`;
  }
});

databaseTest(
  "postgresWriter() does not split a batch whose table is gone, and finds it again",
  async (sql) => {
    await sql`create table things (id int)`;
    const writer = postgresWriter(sql, { table: "things", columns: ["id"] });
    let sends = 0;
    const batcher = new AsyncBatcher(writer, { onBatch: () => sends++ });
    await batcher.add({ id: 1 });
    await sql`drop table things`;
    const clock = stillClock();
    const errors = [2, 3, 4].map((id) => rejection(batcher.add({ id })));
    clock.uninstall();
    for (const error of await Promise.all(errors)) {
      assertInstanceOf(error, PostgresWriteError);
      assertEquals(error.code, "42P01");
      assert(error.message.endsWith(": create the table, or correct its name"), error.message);
    }
    assertEquals(sends, 2);
    await sql`create table things (id bigint)`;
    assertEquals(await batcher.add({ id: 5_000_000_000 }), "inserted");
    assertEquals((await batcher.close()).failed, 3);
  },
);

databaseTest("postgresWriter() saves updates of one key in the order of adding", async (sql) => {
  await sql`create table things (id int primary key, n int)`;
  const writer = postgresWriter(sql, {
    table: "things",
    columns: ["id", "n"],
    conflict: { target: ["id"], action: "update" },
  });
  // Small batches, many at a time: without keys, some would overtake others.
  const batcher = new AsyncBatcher(writer, { maxItems: 3, maxInFlight: 4 });
  const last = new Map<number, number>();
  for (let n = 0; n < 600; n++) {
    const id = (n * 7919) % 10;
    last.set(id, n);
    await batcher.push({ id, n });
  }
  assertEquals((await batcher.close()).saved, 600);
  const found = await sql`select id, n from things`;
  assertEquals(new Map(found.map(({ id, n }) => [id, n])), last);
});
