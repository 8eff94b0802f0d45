import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher } from "../batcher.ts";
import { PostgresText, PostgresWriteError, postgresWriter } from "../postgres.ts";
import { connect, databaseTest, save } from "./_database.ts";

databaseTest("postgresWriter() saves rows", async (sql) => {
  await sql`create table users (id int primary key, hash text not null)`;
  const rows = Array.from({ length: 100 }, (_, id) => ({ id, hash: `hash ${id}` }));
  const outcomes = await save(sql, rows, { table: "users", columns: ["id", "hash"] });
  assertEquals(outcomes, Array(100).fill("inserted"));
  const [{ count }] =
    await sql`select count(*)::int, count(distinct hash)::int as hashes from users`;
  assertEquals(count, 100);
});

databaseTest("postgresWriter() keeps every value as it is", async (sql) => {
  const columns = {
    flag: ["boolean", [true, false, null]],
    small: ["smallint", [-32768, 32767, 0]],
    whole: ["int", [-2147483648, 2147483647, "7"]],
    big: ["bigint", [9223372036854775807n, "-9223372036854775808", 3]],
    real_: ["real", [0.5, -0, NaN]],
    double_: ["double precision", [0.1, 5e-324, Infinity]],
    price: ["numeric(20,4)", ["1234567890123456.7891", 0.25, 12n]],
    any_number: ["numeric", ["123456789012345678901234567890.123456789", 1e15, null]],
    note: ["text", ["", 'quote " and \\ and {a,b}', "NULL"]],
    more: ["text", ["tab\tline\nreturn\r", "\\N", "😀 ü 漢 \u0001"]],
    short: ["varchar(3)", ["abc", "", null]],
    fixed: ["char(3)", ["abc", "a", null]],
    image: ["bytea", [new Uint8Array([0, 1, 92, 255]), new Uint8Array(), null]],
    document: ["jsonb", [{ a: [1, null, "x"] }, "a string", 7]],
    raw: ["json", [[1, 2], null, { quote: '"\\' }]],
    at: ["timestamptz", [new Date("2024-02-29T12:34:56.789Z"), "infinity", "2024-01-01 00:00+02"]],
    local: ["timestamp", [new Date("2024-02-29T12:34:56.789Z"), "-infinity", null]],
    day: ["date", ["2024-02-29", new Date("2024-02-29T00:00:00Z"), null]],
    span: ["interval", ["1 day 02:03:04", "0", null]],
    key: ["uuid", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", null, null]],
    address: ["inet", ["10.0.0.0/8", "::1", null]],
    flags: ["boolean[]", [[false, true, null], [], null]],
    numbers: ["int[]", [[1, null, 3], [[1, 2], [3, 4]], []]],
    words: ["text[]", [['a"b', "c\\d", "e,f", "", "NULL", null, "{}"], [], null]],
    images: ["bytea[]", [[new Uint8Array([1, 2]), null], [], null]],
    documents: ["jsonb[]", [[{ a: 1 }, [1, 2], "x", null], [], null]],
    times: ["timestamptz[]", [[new Date("2024-02-29T12:34:56.789Z")], [], null]],
    boxes: ["box[]", [["(1,1),(0,0)", "(2,2),(1,1)"], [], null]],
  } as const satisfies Record<string, readonly [string, readonly unknown[]]>;
  const names = Object.keys(columns) as (keyof typeof columns)[];
  const rows = [0, 1, 2].map((i) => ({
    n: i,
    ...Object.fromEntries(names.map((name) => [name, columns[name][1][i]])),
  }));
  const expected = await expectedText(sql);
  const definition = names.map((name) => `${name} ${columns[name][0]}`).join(", ");
  await sql.unsafe(`create table everything (n int, ${definition})`);
  const outcomes = await save(sql, rows, { table: "everything", columns: ["n", ...names] });
  assertEquals(outcomes, Array(3).fill("inserted"));
  const texts = names.map((name) => `${name}::text`).join(", ");
  const found = await sql.unsafe(`select ${texts} from everything order by n`).values();
  for (const [i, name] of names.entries()) {
    const actual = found.map((row) => row[i]);
    assertEquals(actual, expected[name], name);
  }
});

/** What the server shows of the values, given as SQL literals: an independent way to write them. */

async function expectedText(sql: Sql): Promise<Record<string, (string | null)[]>> {
  const literals: Record<string, [type: string, ...literals: string[]]> = {
    flag: ["boolean", "true", "false", "null"],
    small: ["smallint", "'-32768'", "32767", "0"],
    whole: ["int", "'-2147483648'", "2147483647", "7"],
    big: ["bigint", "9223372036854775807", "'-9223372036854775808'", "3"],
    real_: ["real", "0.5", "0", "'NaN'"],
    double_: ["double precision", "0.1", "'5e-324'", "'Infinity'"],
    price: ["numeric(20,4)", "1234567890123456.7891", "0.25", "12"],
    any_number: ["numeric", "123456789012345678901234567890.123456789", "1000000000000000", "null"],
    note: ["text", "''", `'quote " and \\ and {a,b}'`, "'NULL'"],
    more: ["text", "E'tab\\tline\\nreturn\\r'", "'\\N'", "'😀 ü 漢 ' || chr(1)"],
    short: ["varchar(3)", "'abc'", "''", "null"],
    fixed: ["char(3)", "'abc'", "'a'", "null"],
    image: ["bytea", "'\\x00015cff'", "''", "null"],
    document: ["jsonb", `'{"a": [1, null, "x"]}'`, `'"a string"'`, "'7'"],
    raw: ["json", "'[1,2]'", "null", `'{"quote":"\\"\\\\"}'`],
    at: ["timestamptz", "'2024-02-29 12:34:56.789Z'", "'infinity'", "'2023-12-31 22:00Z'"],
    local: ["timestamp", "'2024-02-29 12:34:56.789'", "'-infinity'", "null"],
    day: ["date", "'2024-02-29'", "'2024-02-29'", "null"],
    span: ["interval", "'1 day 02:03:04'", "'0'", "null"],
    key: ["uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "null", "null"],
    address: ["inet", "'10.0.0.0/8'", "'::1'", "null"],
    flags: ["boolean[]", "array[false, true, null]", "'{}'", "null"],
    numbers: ["int[]", "array[1, null, 3]", "array[array[1, 2], array[3, 4]]", "'{}'"],
    words: ["text[]", `array['a"b', 'c\\d', 'e,f', '', 'NULL', null, '{}']`, "'{}'", "null"],
    images: ["bytea[]", "array['\\x0102'::bytea, null]", "'{}'", "null"],
    documents: [
      "jsonb[]",
      `array['{"a":1}', '[1,2]', '"x"', null]::jsonb[]`,
      "'{}'",
      "null",
    ],
    times: ["timestamptz[]", "array['2024-02-29 12:34:56.789Z']::timestamptz[]", "'{}'", "null"],
    boxes: ["box[]", "array['(1,1),(0,0)', '(2,2),(1,1)']::box[]", "'{}'", "null"],
  };
  const expected: Record<string, (string | null)[]> = {};
  for (const [name, [type, ...values]] of Object.entries(literals)) {
    const cells = values.map((value) => `((${value})::${type})::text`).join(", ");
    [expected[name]] = await sql.unsafe(`select ${cells}`).values() as (string | null)[][];
    // An unrelated detail of text casts: char(n) drops its padding.
  }
  return expected;
}

/** A row without an index signature, as users write them. */
interface User {
  readonly id: number;
  hash?: string | null;
}

databaseTest("postgresWriter() takes rows that an interface types", async (sql) => {
  await sql`create table users (id int primary key, hash text)`;
  const writer = postgresWriter<User>(sql, {
    table: "users",
    columns: ["id", "hash"],
    conflict: { target: ["id"], action: "update" },
  });
  await using batcher = new AsyncBatcher(writer);
  const user: User = { id: 1, hash: null };
  assertEquals(await batcher.add(user), "inserted");
  // @ts-expect-error: no such column in a row
  postgresWriter<User>(sql, { table: "users", columns: ["id", "name"] });
  // @ts-expect-error: no row of this type
  const adding = batcher.add({ name: "x" });
  await adding.catch(({ code }) => assertEquals(code, "42703"));
});

databaseTest("postgresWriter() saves a text of 1 MB and an empty one", async (sql) => {
  await sql`create table texts (id int, body text)`;
  const body = 'x"\\,\n'.repeat(210_000);
  const rows = [{ id: 1, body }, { id: 2, body: "" }];
  await save(sql, rows, { table: "texts", columns: ["id", "body"] });
  const found = await sql`select body from texts order by id`;
  assert(found[0].body === body && found[1].body === "");
});

databaseTest(
  "postgresWriter() writes to a quoted mixed-case table in another schema",
  async (sql, schema) => {
    const other = `${schema}_Other "x"`;
    await sql`create schema ${sql(other)}`;
    try {
      await sql.unsafe(
        `create table "${schema}_Other ""x"""."User List" ("Id" int primary key, "say ""hi""" text)`,
      );
      for (const expected of ["inserted", "updated"]) {
        const [outcome] = await save(sql, [{ Id: 1, 'say "hi"': "hi" }], {
          table: `${other}.User List`,
          columns: ["Id", 'say "hi"'],
          conflict: { target: ["Id"], action: "update" },
        });
        assertEquals(outcome, expected);
      }
    } finally {
      await sql`drop schema ${sql(other)} cascade`;
    }
  },
);

databaseTest("postgresWriter() never cuts a text to fit its column", async (sql) => {
  await sql`create domain short as varchar(3)`;
  await sql`create table words (a varchar(3), b char(3), c short, d bit(2))`;
  for (const column of ["a", "b", "c"]) {
    const [error] = await save(sql, [{ [column]: "four" }], { table: "words", columns: [column] });
    assertInstanceOf(error, PostgresWriteError, `${column}: ${error}`);
    assertEquals(error.code, "22001");
  }
  const [error] = await save(sql, [{ d: "101" }], { table: "words", columns: ["d"] });
  assertInstanceOf(error, PostgresWriteError);
  assertEquals(error.code, "22026");
  assertEquals((await sql`select * from words`).length, 0);
});

databaseTest(
  "postgresWriter() has a batch in flight for each connection of the pool, and four at least",
  async () => {
    const columns = ["id"];
    for (const [max, expected] of [[1, 4], [4, 4], [12, 12]]) {
      await using pool = await connect({ max });
      assertEquals(postgresWriter(pool, { table: "t", columns }).defaults.maxInFlight, expected);
      const reserved = await pool.reserve();
      assertEquals(postgresWriter(reserved, { table: "t", columns }).defaults.maxInFlight, 4);
      reserved.release();
    }
  },
);

databaseTest("postgresWriter() prepares one statement for every batch size", async (sql) => {
  await sql`create table users (id int primary key, ok boolean)`;
  await using one = await connect({
    max: 1,
    connection: { search_path: sql.options.connection.search_path },
  });
  const writer = postgresWriter(one, {
    table: "users",
    columns: ["id", "ok"],
    conflict: { target: ["id"], action: "update" },
  });
  const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
  for (let size = 1; size <= 60; size++) {
    await writer.send(
      Array.from({ length: size }, (_, id) => ({ id, ok: id % 2 ? null : id > 3 })),
      batch,
    );
  }
  const [{ count }] =
    await one`select count(*)::int from pg_prepared_statements where statement like 'with saved%'`;
  assertEquals(count, 1);
});

databaseTest("postgresWriter() saves 70,000 rows of 3 columns in one batch", async (sql) => {
  await sql`create table users (a int, b int, c text)`;
  const rows = Array.from({ length: 70_000 }, (_, i) => ({ a: i, b: i, c: "x" }));
  const writer = postgresWriter(sql, { table: "users", columns: ["a", "b", "c"] });
  await using batcher = new AsyncBatcher(writer, { maxItems: 70_000 });
  await Promise.all(rows.map((row) => batcher.add(row)));
  assertEquals((await sql`select count(*)::int from users`)[0].count, 70_000);
});

databaseTest("postgresWriter() writes through the user's own transforms and types", async (sql) => {
  await sql`create table users (user_id int primary key, is_ok boolean)`;
  const { search_path } = sql.options.connection;
  await using own = await connect({
    connection: { search_path },
    transform: { column: (name: string) => name.toUpperCase(), value: () => "transformed" },
    fetch_types: false,
  });
  const outcomes = await save(own, [{ user_id: 1, is_ok: true }, { user_id: 2, is_ok: false }], {
    table: "users",
    columns: ["user_id", "is_ok"],
    conflict: { target: ["user_id"], action: "ignore" },
  });
  assertEquals(outcomes, ["inserted", "inserted"]);
});

databaseTest("PostgresText is read as the column's type reads text", async (sql) => {
  await sql`create type colour as enum ('red')`;
  await sql`create type pair as (a int, b text)`;
  const columns: Record<string, [type: string, text: string, shown: string]> = {
    doc: ["jsonb", '{"role":"admin"}', '{"role": "admin"}'],
    list: ["text[]", "{x,NULL}", "{x,NULL}"],
    grid: ["int[]", "{{1,2},{3,4}}", "{{1,2},{3,4}}"],
    image: ["bytea", "\\x00ff", "\\x00ff"],
    span: ["int4range", "[1,5)", "[1,5)"],
    couple: ["pair", "(1,foo)", "(1,foo)"],
    colour: ["colour", "red", "red"],
    ip: ["inet", "10.0.0.1", "10.0.0.1/32"],
    done: ["boolean", "yes", "true"],
    price: ["numeric", "12345678901234567890.10", "12345678901234567890.10"],
    at: ["timestamp", "2024-01-02 03:04", "2024-01-02 03:04:00"],
  };
  const names = Object.keys(columns);
  const types = names.map((name) => `${name} ${columns[name][0]}`);
  await sql.unsafe(`create table things (${types})`);
  const row = Object.fromEntries(
    names.map((name) => [name, new PostgresText(columns[name][1])]),
  );
  const broken = { ...row, doc: new PostgresText("{") };
  const nul = { ...row, list: new PostgresText("a\0") };
  const ends = await save(sql, [row, broken, nul], { table: "things", columns: names });
  assertEquals(ends[0], "inserted");
  assertEquals(ends.slice(1).map((error) => (error as PostgresWriteError).code), [
    "22P02",
    "22021",
  ]);
  const [saved] = await sql.unsafe(`select ${names.map((name) => `${name}::text`)} from things`);
  for (const name of names) assertEquals(saved[name], columns[name][2], name);
});

databaseTest(
  "postgresWriter() takes a string for an array or bytes only in their text form",
  async (sql) => {
    await sql`create table things (list int[], image bytea)`;
    const rows = [
      { list: "{1,2}", image: "\\x00ff" },
      { list: "[0:1]={1,2}", image: null },
      { list: "1,2", image: null },
      { list: null, image: "abc" },
      { list: null, image: "\\x0" },
    ];
    const ends = await save(sql, rows, { table: "things", columns: ["list", "image"] });
    assertEquals(ends.map((end) => end instanceof PostgresWriteError ? end.code : end), [
      ...["inserted", "inserted", "42804", "42804", "42804"],
    ]);
  },
);
