import { assertEquals } from "@std/assert";
import { AsyncBatcher } from "../batcher.ts";
import { type PostgresWriteError, postgresWriter } from "../postgres.ts";
import { databaseTest, save } from "./_database.ts";

databaseTest("postgresWriter() with conflict 'ignore' keeps the row that is there", async (sql) => {
  await sql`create table users (id int primary key, hash text)`;
  await sql`insert into users values (2, 'old')`;
  const rows = [{ id: 1, hash: "new" }, { id: 2, hash: "new" }, { id: 3, hash: "new" }];
  const outcomes = await save(sql, rows, {
    table: "users",
    columns: ["id", "hash"],
    conflict: { target: ["id"], action: "ignore" },
  });
  assertEquals(outcomes, ["inserted", "skipped", "inserted"]);
  assertEquals([...await sql`select * from users order by id`], [
    { id: 1, hash: "new" },
    { id: 2, hash: "old" },
    { id: 3, hash: "new" },
  ]);
});

databaseTest(
  "postgresWriter() with conflict 'update' updates the row that is there",
  async (sql) => {
    await sql`create table users (id int primary key, hash text, name text)`;
    await sql`insert into users values (2, 'old', 'old')`;
    const rows = [{ id: 2, hash: "new", name: "new" }, { id: 1, hash: "new", name: "new" }];
    const outcomes = await save(sql, rows, {
      table: "users",
      columns: ["id", "hash", "name"],
      conflict: { target: ["id"], action: "update", update: ["hash"] },
    });
    assertEquals(outcomes, ["updated", "inserted"]);
    assertEquals([...await sql`select * from users order by id`], [
      { id: 1, hash: "new", name: "new" },
      { id: 2, hash: "new", name: "old" },
    ]);
  },
);

databaseTest(
  "postgresWriter() with one key twice in a batch keeps the last, or the first where rows are ignored",
  async (sql) => {
    await sql`create table users (id int primary key, hash text)`;
    const rows = ["a", "b", "c"].map((hash) => ({ id: 1, hash }));
    const options = { table: "users", columns: ["id", "hash"] };
    const { signal } = new AbortController();
    const send = (action: "ignore" | "update") =>
      postgresWriter(sql, { ...options, conflict: { target: ["id"], action } })
        .send(rows, { id: "1", attempt: 1, signal });
    const updated = await send("update");
    assertEquals(updated, ["skipped", "skipped", "inserted"]);
    assertEquals((await sql`select hash from users`)[0].hash, "c");
    await sql`truncate users`;
    const ignored = await send("ignore");
    assertEquals(ignored, ["inserted", "skipped", "skipped"]);
    assertEquals((await sql`select hash from users`)[0].hash, "a");
  },
);

databaseTest("postgresWriter() compares keys as the table does", async (sql) => {
  await sql`create collation if not exists folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`;
  await sql`create domain code as varchar(5)`;
  await sql`create table prices (name text collate folding, price numeric(10,1), place code, n int,
    primary key (name, price, place))`;
  const rows = [["Ann", "1.04", "x"], ["ANN", "1.0", "x"], ["Bob", "1.06", "x"], [
    "Bob",
    "1.0",
    "x",
  ]]
    .map(([name, price, place], n) => ({ name, price, place, n }));
  const outcomes = await save(sql, rows, {
    table: "prices",
    columns: ["name", "price", "place", "n"],
    conflict: { target: ["name", "price", "place"], action: "update" },
  });
  assertEquals(outcomes, ["skipped", "inserted", "inserted", "inserted"]);
});

databaseTest("postgresWriter() tells inserted from updated in a partitioned table", async (sql) => {
  await sql`create table parts (id int primary key, v text) partition by range (id)`;
  await sql`create table parts_a partition of parts for values from (0) to (10)`;
  await sql`create table parts_b partition of parts for values from (10) to (20)`;
  await sql`insert into parts values (1, 'old')`;
  const outcomes = await save(sql, [{ id: 1, v: "new" }, { id: 11, v: "new" }], {
    table: "parts",
    columns: ["id", "v"],
    conflict: { target: ["id"], action: "update" },
  });
  assertEquals(outcomes, ["updated", "inserted"]);
});

databaseTest("postgresWriter() refuses a null in the key of a conflict", async (sql) => {
  await sql`create table users (id int unique, hash text)`;
  const outcomes = await save(sql, [{ id: null, hash: "a" }, { id: 1, hash: "b" }], {
    table: "users",
    columns: ["id", "hash"],
    conflict: { target: ["id"], action: "ignore" },
  });
  assertEquals((outcomes[0] as PostgresWriteError).code, "23502");
  assertEquals(outcomes[1], "inserted");
});

databaseTest("postgresWriter() does not deadlock on overlapping keys", async (sql) => {
  await sql`create table counts (id int primary key, n int)`;
  const writer = postgresWriter(sql, {
    table: "counts",
    columns: ["id", "n"],
    conflict: { target: ["id"], action: "update" },
  });
  await using batcher = new AsyncBatcher(writer, {
    maxItems: 200,
    maxInFlight: 4,
    maxQueued: 10_000,
  });
  const rows: Promise<unknown>[] = [];
  for (let round = 0; round < 15; round++) {
    const ids = Array.from({ length: 200 }, (_, i) => i);
    if (round % 2) ids.reverse();
    for (const id of ids) rows.push(batcher.add({ id, n: round }));
  }
  await Promise.all(rows);
  assertEquals((await batcher.close()).saved, 3000);
});
