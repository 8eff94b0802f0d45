import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher } from "../batcher.ts";
import { postgresLookup, PostgresWriteError } from "../postgres.ts";
import { connect, databaseTest } from "./_database.ts";
import { range } from "./_faults.ts";
import { rejection } from "./_helpers.ts";

/** The code of an error, or the value. */
function codes(ends: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return ends.map((end) =>
    end.status === "fulfilled" ? end.value : (end.reason as PostgresWriteError).code
  );
}

databaseTest("postgresLookup() finds rows, and writes keys as the column does", async (sql) => {
  await sql`create table users (id int primary key, hash text, name text, balance numeric)`;
  await sql`insert into users values (7, 'x', null, 1234567890123456789.10), (8, '', 'Ann', 0)`;
  const lookup = postgresLookup(sql, {
    table: "users",
    key: "id",
    columns: ["name", "hash", "balance", "id"],
  });
  await using users = new AsyncBatcher(lookup);
  const found = await Promise.all([7, "07", 7n, "8", " 9"].map((id) => users.add(id)));
  const seven = { name: null, hash: "x", balance: "1234567890123456789.10", id: "7" };
  assertEquals(found, [
    { key: "7", row: seven },
    { key: "7", row: seven },
    { key: "7", row: seven },
    { key: "8", row: { name: "Ann", hash: "", balance: "0", id: "8" } },
    { key: "9", row: undefined },
  ]);
});

databaseTest("postgresLookup() without columns tells which keys are there", async (sql) => {
  await sql`create table users (id int primary key)`;
  await sql`insert into users values (7)`;
  await using users = new AsyncBatcher(postgresLookup(sql, { table: "users", key: "id" }));
  assertEquals(await Promise.all([7, 8].map((id) => users.add(id))), [
    { key: "7", row: {} },
    { key: "8", row: undefined },
  ]);
});

databaseTest(
  "postgresLookup() rejects only the keys that the column cannot hold, in few statements",
  async (sql) => {
    await sql`create table users (id int primary key)`;
    await sql`insert into users values (7)`;
    let statements = 0;
    const counting = {
      ...sql,
      unsafe: (...args: Parameters<typeof sql.unsafe>) => (statements++, sql.unsafe(...args)),
    } as unknown as typeof sql;
    const lookup = postgresLookup(counting, { table: "users", key: "id" });
    await lookup.check();
    await using users = new AsyncBatcher(lookup, { maxItems: 500, linger: 60_000 });
    statements = 0;
    const keys: unknown[] = range(500);
    assertEquals((await Promise.all(keys.map((key) => users.add(key))))[7].row, {});
    assertEquals(statements, 1);
    statements = 0;
    keys.splice(300, 5, "SECRET", "\0", null, {}, 1e12);
    const ends = await Promise.allSettled(keys.map((key) => users.add(key)));
    assertEquals(codes(ends).slice(300, 305), ["22P02", "22021", "23502", "42804", "22003"]);
    assertEquals(ends.filter(({ status }) => status === "rejected").length, 5);
    assert(statements < 40, `${statements} statements`);
    const { reason } = ends[300] as PromiseRejectedResult;
    const shown = Deno.inspect(reason, { showHidden: true, depth: 9 }) + JSON.stringify(reason);
    assert(!shown.includes("SECRET"), shown);
    assertEquals(
      (ends[302] as PromiseRejectedResult).reason.message,
      "Cannot look up a key as column 'id' cannot be asked for null",
    );
    assertEquals(
      (ends[303] as PromiseRejectedResult).reason.message,
      "Cannot look up a key as column 'id' of type integer cannot take an object",
    );
  },
);

databaseTest("postgresLookup() reads keys as an INSERT would", async (sql) => {
  await sql`create domain code as varchar(3) check (value <> 'bad')`;
  await sql`create collation if not exists folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`;
  const cases: [type: string, there: string, [key: unknown, found: unknown][]][] = [
    ["varchar(3)", "abc", [["abcd", "22001"], ["abc  ", "abc"], ["ab", undefined]]],
    ["char(3)", "a", [["a", "a"], ["a  ", "a"], ["abcd", "22001"]]],
    ["code", "abc", [["abcd", "22001"], ["abc", "abc"]]],
    ["numeric(10,1)", "1.0", [["1.04", "1.0"], [1, "1.0"], ["1e300", "22003"]]],
    ["uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", [
      ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
      ["a0ee", "22P02"],
    ]],
    ["jsonb", '{"a": 1}', [[{ a: 1 }, '{"a": 1}'], ["a", undefined]]],
    ["int[]", "{1,2}", [[[1, 2], "{1,2}"], [[2], undefined]]],
    ["bytea", "\\x01", [[new Uint8Array([1]), "\\x01"]]],
    ["timestamptz", "2024-01-01 00:00:00+00", [[new Date("2024-01-01"), "2024-01-01 00:00:00+00"]]],
    ["text collate folding", "Ann", [["ANN", "Ann"], ["Bob", undefined]]],
    ["text", 'quote " \\', [['quote " \\', 'quote " \\']]],
  ];
  await using utc = await connect({
    connection: { search_path: sql.options.connection.search_path, TimeZone: "UTC" },
  });
  for (const [type, there, keys] of cases) {
    await sql.unsafe(`drop table if exists things; create table things (k ${type} unique)`);
    await sql.unsafe("insert into things select ($1::text)::" + type, [there]);
    const lookup = postgresLookup(utc, { table: "things", key: "k", columns: ["k"] });
    await using things = new AsyncBatcher(lookup);
    for (const [key, expected] of keys) {
      const [end] = await Promise.allSettled([things.add(key)]);
      const [found] = codes([end]);
      const shown = typeof found === "string" ? found : (found as { row?: { k: string } }).row?.k;
      assertEquals(shown?.trimEnd(), expected, `${type}: ${String(key)}`);
    }
  }
});

databaseTest("postgresLookup() reads through a view and the user's own transforms", async (sql) => {
  await sql.unsafe(`create table "Users" ("Id" int, "say ""hi""" text)`);
  await sql`insert into "Users" values (1, 'hi'), (1, 'hi')`;
  await sql`create view "All users" as select * from "Users"`;
  const { search_path } = sql.options.connection;
  await using own = await connect({
    connection: { search_path },
    transform: { column: (name: string) => name.toUpperCase(), value: () => "transformed" },
    fetch_types: false,
  });
  const table = `${search_path}.All users`;
  const lookup = postgresLookup(own, { table, key: "Id", columns: ['say "hi"'] });
  await using users = new AsyncBatcher(lookup);
  assertEquals(await users.add(1), { key: "1", row: { 'say "hi"': "hi" } });
});

databaseTest("postgresLookup() says before anything is sent what the table lacks", async (sql) => {
  await sql`create table users (id int, hash text, twice int generated always as (id * 2) stored unique)`;
  const cases: [Parameters<typeof postgresLookup<string>>[1], string, string][] = [
    [{ table: "user", key: "id" }, "42P01", "there is no table 'user' on the search path"],
    [
      { table: "users", key: "twice", columns: ["Hash"] },
      "42703",
      "table 'users' has no column 'Hash': it has 'id', 'hash', 'twice'",
    ],
    [{ table: "users", key: "id" }, "42P10", "table 'users' has no unique constraint on (id)"],
  ];
  for (const [options, code, why] of cases) {
    const error = await rejection(postgresLookup(sql, options).check());
    assertInstanceOf(error, PostgresWriteError);
    assertEquals([error.code, error.message], [code, `Cannot look up keys as ${why}`]);
  }
  await postgresLookup(sql, { table: "users", key: "twice", columns: ["hash"] }).check();
});

databaseTest("postgresLookup() finds a table again that was made anew", async (sql) => {
  await sql`create table users (id int primary key)`;
  const lookup = postgresLookup(sql, { table: "users", key: "id" });
  await using users = new AsyncBatcher(lookup);
  assertEquals((await users.add(5)).row, undefined);
  await sql`drop table users`;
  assertEquals((await rejection(users.add(5)) as PostgresWriteError).code, "42P01");
  await sql`create table users (id text primary key)`;
  assertEquals(await users.add("five"), { key: "five", row: undefined });
});

Deno.test("postgresLookup() refuses options that are no names", () => {
  const cases: [unknown, string][] = [
    [{ table: "", key: "id" }, "'table' must be a name"],
    [{ table: "users", key: 1 }, "'key' must be a name"],
    [{ table: "users", key: "id", columns: ["a", "a"] }, "'columns' must be different names"],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(() => postgresLookup({} as Sql, options as never), TypeError);
    assertEquals(error.message, `Cannot create a look-up as ${message}`);
  }
});
