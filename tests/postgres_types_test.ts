import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { Sql } from "postgres";
import { PostgresText, PostgresWriteError, postgresWriter } from "../postgres.ts";
import { databaseTest, save } from "./_database.ts";

/** What an array of PostgreSQL, JSON or a number might write in another way than the type reads it. */
const TEXTS = [
  ...["", " ", "NULL", "null", '"', "\\", '"quoted"', "\\\\", "\\n", "\\u0041", "{}", "{a,b}"],
  ...["a,b", "a;b", "'", "''", "$1", "tab\tline\nreturn\r\n", "\u0001\u001f\u007f", "\u2028 漢 😀"],
  ...[" padded ", "a  ", "'x'", "(1,2)", '{"a":"\\"\\n"}', '"text"', "[1,null]", "[1]", "\\\\n"],
  ...["0", "-0", "07", " 7 ", "+7", "1e3", "1.50", "0x1F", "99999999999999999999", "1e400"],
  ...["NaN", "nan", "Infinity", "-Infinity", "infinity", "-infinity", "true", "t", "yes", "2"],
  ...["2024-02-29", "0044-03-15 BC", "2024-02-29 12:34:56.123456+02", "24:00:00", "epoch"],
  ...["1 day 02:03:04", "-1 mons", "P1Y2M", "a0eebc999c0b4ef8bb6d6bb9bd380a11"],
  ...["{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "10.0.0.0/8", "::1", "08:00:2b:01:02:03", "101"],
  ...["[1,5)", "{[1,5)}", "empty", "(1,2),(3,4)", "((0,0),(1,1))", "<(0,0),1>", "\\x00ff", "\\x0"],
  ...[
    "{1,2}",
    "{{1,2},{3,4}}",
    "[0:1]={1,2}",
    '{"a b",NULL}',
    "{red}",
    "{(1,1),(0,0);(2,2),(1,1)}",
  ],
  ...[
    "(1,foo)",
    '(1,"a ""b""")',
    "red",
    "RED",
    "happy, sad",
    'say "hi"',
    "pg_class",
    "1259",
    "int4",
  ],
  ...["<a>b</a>", "a & !b", "1 2", "é", "éé", "four", "a   ", "16/B374D848", "$1.00", "$.a[*]"],
];

const TYPES = [
  ...["smallint", "int", "bigint", "real", "double precision", "numeric", "numeric(6,2)", "money"],
  ...["boolean", "text", "varchar", "varchar(3)", "char", "char(3)", '"char"', "name", "bytea"],
  ...["date", "time", "timetz", "timestamp", "timestamp(0)", "timestamptz", "interval", "uuid"],
  ...["json", "jsonb", "jsonpath", "xml", "inet", "cidr", "macaddr", "bit", "bit(3)", "varbit"],
  ...["point", "box", "polygon", "circle", "int4range", "daterange", "int4multirange", "tsvector"],
  ...["tsquery", "oid", "pg_lsn", "regclass", "regtype", 'text collate "C"', "int[]", "text[]"],
  ...[
    "box[]",
    "jsonb[]",
    "mood",
    "mood[]",
    "pair",
    "pair[]",
    "short",
    "positive",
    "list",
    "of_pair",
  ],
];

databaseTest("postgresWriter() stores of every type what a cast from text does", async (sql) => {
  await sql`create type mood as enum ('red', 'happy, sad', 'say "hi"', '', 'NULL')`;
  await sql`create type pair as (a int, b text)`;
  await sql`create domain short as varchar(3)`;
  await sql`create domain positive as int check (value > 0)`;
  await sql`create domain list as int[]`;
  await sql`create domain of_pair as pair`;
  for (const type of TYPES) {
    await sql.unsafe(`drop table if exists cast_, written;
      create table cast_ (n int, v ${type}); create table written (n int, v ${type})`);
    const codes = await castEach(sql);
    const rows = TEXTS.map((text, n) => ({ n, v: new PostgresText(text) }));
    const good = rows.filter((_, n) => codes[n] === "");
    assertNotEquals(good.length, 0, type);
    const writer = postgresWriter(sql, { table: "written", columns: ["n", "v"] });
    const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
    await writer.send(good, batch);
    const cast = await sql`select n, row(v)::text as v from cast_ order by n`;
    assertEquals(await sql`select n, row(v)::text as v from written order by n`, cast, type);
    await Promise.all(
      rows.filter((row) => !good.includes(row)).map(async (row) => {
        const error = await writer.send([row], batch).then(() => undefined, (error) => error);
        assert(error instanceof PostgresWriteError, `${type}: ${row.v.text}`);
        assertEquals(error.code, codes[row.n], `${type}: ${row.v.text}`);
      }),
    );
  }
});

/** Inserts every text with a cast of its own into `cast_`, and returns the codes of errors. */
async function castEach(sql: Sql): Promise<string[]> {
  const [{ base }] = await sql`with recursive base as (
      select t.* from pg_type t join pg_attribute a on a.atttypid = t.oid
      where a.attrelid = 'cast_'::regclass and a.attname = 'v'
      union all select t.* from base join pg_type t on t.oid = base.typbasetype)
    select format_type(oid, -1) as base from base where typtype <> 'd'`;
  await sql.unsafe(`create or replace function cast_each(texts text[]) returns setof text
    language plpgsql as $$
    begin
      for i in 1 .. cardinality(texts) loop
        begin
          insert into cast_ values (i - 1, texts[i]::${base});
          return next '';
        exception when others then
          return next sqlstate;
        end;
      end loop;
    end $$`);
  const codes = await sql`select cast_each(${TEXTS}::text[]) as code`;
  return codes.map(({ code }) => code);
}

databaseTest("postgresWriter() refuses what JSON cannot hold, and keeps the rest", async (sql) => {
  class Point {
    x = 1;
  }
  const odd: [value: unknown, why: string][] = [
    [new Map(), "has a Map in it, which JSON cannot hold"],
    [new Set(), "has a Set in it, which JSON cannot hold"],
    [new Float64Array(1), "has a Float64Array in it, which JSON cannot hold"],
    [new ArrayBuffer(1), "has an ArrayBuffer in it, which JSON cannot hold"],
    [new Error("no"), "has an Error in it, which JSON cannot hold"],
    [{ toJSON: () => NaN }, "has NaN in it, which JSON cannot hold"],
    [() => 1, "has a function in it, which JSON cannot hold"],
    [Symbol(), "has a symbol in it, which JSON cannot hold"],
    [7n, "has a bigint in it, which JSON cannot hold"],
    [NaN, "has NaN in it, which JSON cannot hold"],
    [-Infinity, "has -Infinity in it, which JSON cannot hold"],
    [new Date(NaN), "has an invalid date in it"],
  ];
  const texts: typeof odd = [
    ["a\0", "has a NUL character in it, which PostgreSQL cannot store"],
    ["\ud800", "has half of a surrogate pair in it, which is not text"],
  ];
  const keys = texts.map(([text, why]): [unknown, string] => [{ [text as string]: 1 }, why]);
  const bad = [
    ...odd,
    ...[...odd, ...texts].flatMap(([value, why]): typeof odd => [
      [{ a: value }, why],
      [[[value]], why],
    ]),
    ...texts,
    ...keys,
    [{ a: [undefined] }, "has undefined in it, which JSON cannot hold"] as const,
    [new Array(1), "has undefined in it, which JSON cannot hold"] as const,
  ];
  await sql`create table docs (n int, v jsonb, raw json, list jsonb[])`;
  const writer = postgresWriter(sql, { table: "docs", columns: ["n", "v", "raw", "list"] });
  const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
  const outcomes = await writer.send(
    bad.map(([v], n) => ({ n, v, raw: null, list: null })),
    batch,
  );
  assertEquals(
    outcomes.map((error) => (error as Error).message),
    bad.map(([, why]) => `Cannot save a row as column 'v' ${why}`),
  );
  const date = new Date("2024-02-29T12:34:56.789Z");
  const good = [
    { a: [1.5, null, "\ue000", { "": true }] },
    ...[Object.create(null), [], "", [-0, date], { a: undefined }, new Point()],
    { toJSON: () => ["itself"] },
  ];
  const rows = good.map((v, n) => ({ n, v, raw: n === 0 ? "a\0\ud800" : v, list: [v] }));
  await writer.send(rows, batch);
  const saved = await sql`select v, raw, array_to_json(list) as list from docs order by n`;
  const read = JSON.parse(JSON.stringify(good));
  assertEquals(saved.map(({ v }) => v), read);
  assertEquals(saved.map(({ raw }) => raw), ["a\0\ud800", ...read.slice(1)]);
  assertEquals(saved.map(({ list }) => list), read.map((one: unknown) => [one]));
});

databaseTest("postgresWriter() splits a batch that is too large for one statement", async (sql) => {
  await sql`create table texts (id int primary key, body text)`;
  const body = "x".repeat(2 ** 23 + 1);
  const rows = [0, 1].map((id) => ({ id, body }));
  const writer = postgresWriter(sql, { table: "texts", columns: ["id", "body"] });
  const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
  const error = await writer.send(rows, batch).then(() => undefined, (error) => error);
  assert(error instanceof PostgresWriteError && error.bisectable, String(error));
  assertEquals(await save(sql, rows, { table: "texts", columns: ["id", "body"] }), [
    "inserted",
    "inserted",
  ]);
  const huge = { id: 2, body: "x".repeat(2 ** 28) };
  const [outcome] = await save(sql, [huge], { table: "texts", columns: ["id", "body"] });
  assert(outcome instanceof PostgresWriteError, String(outcome));
  assertEquals(
    outcome.message,
    "Cannot save a row as it has more than 268434432 characters (54000)",
  );
});
