import { assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher, UnknownOutcomeError } from "../batcher.ts";
import { type PostgresWriteError, postgresWriter } from "../postgres.ts";
import { connect, databaseTest, save } from "./_database.ts";

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

/** Has a trigger do something before a row is inserted or updated. */
const before = (body: string) =>
  `create function f() returns trigger language plpgsql as $$begin ${body} return new; end$$;
   create trigger t before insert or update on users for each row execute function f()`;

/** What became of the rows 1, 2 and 3, where 3 is there already. */
async function outcomesWith(sql: Sql, setup: string, action: "ignore" | "update") {
  await sql.unsafe(`create table if not exists users (id text primary key, hash text);
    insert into users values ('3', 'old'); ${setup}`);
  const conflict = { target: ["id"], action };
  const rows = ["1", "2", "3"].map((id) => ({ id, hash: "new" }));
  return (await save(sql, rows, { table: "users", columns: ["id", "hash"], conflict }))
    .map((one) => one instanceof UnknownOutcomeError ? "unknown" : one);
}

for (const action of ["ignore", "update"] as const) {
  const third = action === "ignore" ? "skipped" : "updated";
  databaseTest(
    `postgresWriter() with '${action}' knows a row that a trigger keeps out`,
    async (sql) => {
      const setup = before("if new.id = '2' then return null; end if;");
      assertEquals(await outcomesWith(sql, setup, action), ["inserted", "unknown", third]);
    },
  );

  databaseTest(
    `postgresWriter() with '${action}' knows a key that a trigger changes`,
    async (sql) => {
      const setup = before("if new.id = '2' then new.id := 'b'; end if;");
      const outcomes = await outcomesWith(sql, setup, action);
      assertEquals(outcomes, ["inserted", "unknown", action === "ignore" ? "unknown" : "updated"]);
      assertEquals((await sql`select from users`).length, 3);
    },
  );
}

databaseTest("postgresWriter() knows the triggers of partitions", async (sql) => {
  const setup = before("if new.id = '2' then return null; end if;").replace("on users", "on part");
  await sql`create table users (id text primary key, hash text) partition by range (id)`;
  await sql`create table part partition of users for values from ('0') to ('9')`;
  assertEquals(await outcomesWith(sql, setup, "ignore"), ["inserted", "unknown", "skipped"]);
});

databaseTest("postgresWriter() saves NULL whatever the session is set to", async (sql, schema) => {
  await sql`create table users (id text primary key, hash text, tags text[])`;
  const settings = {
    array_nulls: "off",
    standard_conforming_strings: "off",
    bytea_output: "escape",
  };
  await using odd = await connect({ connection: { search_path: schema, ...settings } as never });
  const columns = ["id", "hash", "tags"];
  const conflict = { target: ["id"], action: "update" } as const;
  const rows = [
    { id: "1", hash: null, tags: ["a", null, "NULL"] },
    { id: "NULL", hash: "NULL", tags: null },
    { id: "\\'", hash: "a\\b", tags: [] },
  ];
  assertEquals(await save(odd, rows, { table: "users", columns, conflict }), [
    ...["inserted", "inserted", "inserted"],
  ]);
  assertEquals([...await sql`select id, hash, to_json(tags) as tags from users`], rows);
  const more = rows.map((row) => ({ ...row, id: `${row.id}+` }));
  await save(odd, more, { table: "users", columns });
  assertEquals((await sql`select from users where hash is null`).length, 2);
});
