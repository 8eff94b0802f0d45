import { assertEquals, assertInstanceOf } from "@std/assert";
import { describeTable, PostgresWriteError } from "../postgres.ts";
import { databaseTest } from "./_database.ts";
import { rejection } from "./_helpers.ts";

databaseTest("describeTable() names columns, their types, and what must be filled", async (sql) => {
  await sql`create domain code as varchar(3) not null`;
  await sql`create table users (id bigint generated always as identity primary key, "Hash" varchar(60) not null,
    made timestamptz not null default now(), twice int generated always as (7) stored not null, code code, note text[])`;
  const { columns } = await describeTable(sql, "users");
  assertEquals(columns.map(({ name, type, required }) => [name, type, required]), [
    ["id", "bigint", false],
    ["Hash", "character varying(60)", true],
    ["made", "timestamp with time zone", false],
    ["twice", "integer", false],
    ["code", "code", false],
    ["note", "text[]", false],
  ]);
});

databaseTest("describeTable() tells whether a column keeps a value", async (sql) => {
  await sql`create domain code as text check (value like 'a%')`;
  const cases: [type: string, kept: (string | number | bigint)[], changed: (string | number)[]][] =
    [
      ["varchar(3)", ["abc", ""], ["abcd", "a\0"]],
      ["char(3)", ["abc"], ["abcd"]],
      ["int", [1, "7", -5n], ["x", "07", 1.5, 1e12]],
      ["numeric(4,1)", ["1.5"], [1, 1.55, 1e5]],
      ["real", [0.5], [16777217]],
      ["code", ["abc"], ["xyz"]],
      ["jsonb", [1], ["abc"]],
      ["text", ["a b", "ü"], ["a\0b"]],
    ];
  for (const [type, kept, changed] of cases) {
    await sql.unsafe(`drop table if exists things; create table things (v ${type})`);
    const { columns: [column] } = await describeTable(sql, "things");
    for (const value of kept) assertEquals(await column.keeps(value), true, `${type}: ${value}`);
    for (const value of changed) {
      assertEquals(await column.keeps(value), false, `${type}: ${JSON.stringify(value)}`);
    }
  }
});

databaseTest("describeTable() says that there is no such table", async (sql) => {
  const error = await rejection(describeTable(sql, "nowhere"));
  assertInstanceOf(error, PostgresWriteError);
  assertEquals([error.code, error.message], [
    "42P01",
    "Cannot describe a table as there is no table 'nowhere' on the search path",
  ]);
});
