import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import type { Sql } from "postgres";
import { AsyncBatcher } from "../batcher.ts";
import {
  PostgresWriteError,
  postgresWriter,
  type PostgresWriterOptions,
  type Row,
} from "../postgres.ts";
import { connect, databaseTest, save } from "./_database.ts";
import { rejection } from "./_helpers.ts";

databaseTest("postgresWriter() rejects only the rows that cannot be written", async (sql) => {
  await sql`create table things (id int, body text, at timestamptz, doc jsonb, image bytea, list int[])`;
  const good = { id: 1, body: "b", at: null, doc: null, image: null, list: null };
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const bad: [row: unknown, code: string, message: string][] = [
    [{ ...good, body: undefined }, "42804", "column 'body' is undefined: null stands for NULL"],
    [{ id: 1 }, "42703", "column 'body' is missing in it"],
    [
      { ...good, body: "a\0b" },
      "22021",
      "column 'body' has a NUL character in it, which PostgreSQL cannot store",
    ],
    [
      { ...good, body: "a\ud800" },
      "22021",
      "column 'body' has half of a surrogate pair in it, which is not text",
    ],
    [{ ...good, body: { a: 1 } }, "42804", "column 'body' of type text cannot take an object"],
    [{ ...good, id: () => 1 }, "42804", "column 'id' of type integer cannot take a function"],
    [{ ...good, at: new Date(NaN) }, "22007", "column 'at' has an invalid date in it"],
    [
      { ...good, at: 17 },
      "42804",
      "column 'at' of type timestamp with time zone cannot take a number",
    ],
    [{ ...good, doc: circular }, "42804", "column 'doc' cannot be written as JSON"],
    [
      { ...good, doc: () => 1 },
      "42804",
      "column 'doc' has a function in it, which JSON cannot hold",
    ],
    [{ ...good, image: "text" }, "42804", "column 'image' of type bytea cannot take a string"],
    [{ ...good, list: "1,2" }, "42804", "column 'list' of type integer[] cannot take a string"],
    [
      { ...good, list: [1, undefined] },
      "42804",
      "column 'list' is undefined: null stands for NULL",
    ],
  ];
  const rows = [good, ...bad.map(([row]) => row), null, "row", good] as Row[];
  const outcomes = await save(sql, rows, { table: "things", columns: Object.keys(good) });
  assertEquals([outcomes[0], outcomes.at(-1)], ["inserted", "inserted"]);
  for (const [i, [, code, message]] of bad.entries()) {
    const error = outcomes[i + 1];
    assertInstanceOf(error, PostgresWriteError, message);
    assertEquals([error.code, error.message], [code, `Cannot save a row as ${message}`]);
    assertEquals([error.outcome, error.retryable], ["failed", false]);
  }
  assertEquals(
    outcomes.slice(-3, -1).map((error) => (error as Error).message),
    [
      "Cannot save a row as it must be an object: it is null",
      "Cannot save a row as it must be an object: it is a string",
    ],
  );
  assertEquals((await sql`select count(*)::int from things`)[0].count, 2);
});

databaseTest("postgresWriter() rejects a number that JavaScript has rounded", async (sql) => {
  await sql`create table numbers (n int8, list int8[], any_number numeric, doc jsonb, f float8)`;
  const good = { n: 2 ** 53 - 1, list: [2n ** 60n], any_number: 1.5, doc: [2 ** 60], f: 2 ** 60 };
  const wrong = { n: 2 ** 60, list: [0, -(2 ** 53)], any_number: 1e22 };
  const bad = Object.entries(wrong).map(([name, value]) => ({ ...good, [name]: value }));
  const rows = [good, ...bad, { ...good, n: 2n ** 60n, any_number: "1e22" }];
  const outcomes = await save(sql, rows, { table: "numbers", columns: Object.keys(good) });
  assertEquals([outcomes[0], outcomes.at(-1)], ["inserted", "inserted"]);
  for (const [i, name] of Object.keys(wrong).entries()) {
    const error = outcomes[i + 1];
    assertInstanceOf(error, PostgresWriteError, name);
    assertEquals(error.code, "22003");
    assertEquals(
      error.message,
      `Cannot save a row as column '${name}' has a number beyond 2^53, which JavaScript does not hold exactly: give a bigint or a text`,
    );
  }
  assertEquals([...await sql`select n::text, list::text, any_number::text, f::text from numbers`], [
    {
      n: "9007199254740991",
      list: "{1152921504606846976}",
      any_number: "1.5",
      f: "1.152921504606847e+18",
    },
    {
      n: "1152921504606846976",
      list: "{1152921504606846976}",
      any_number: "10000000000000000000000",
      f: "1.152921504606847e+18",
    },
  ]);
});

databaseTest(
  "postgresWriter() tells of each row in its place, whichever column cannot be written",
  async (sql) => {
    await sql`create table users (id int, name text)`;
    const writer = postgresWriter(sql, { table: "users", columns: ["id", "name"] });
    const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
    const noName = { id: 1, name: {} };
    const noId = { id: [], name: "a" };
    const good = { id: 2, name: "b" };
    const told = async (rows: Row[]) =>
      (await writer.send(rows, batch)).map((end) => /'(id|name)'/.exec(String(end))?.[1] ?? end);
    assertEquals(await told([noName, noId]), ["name", "id"]);
    assertEquals(await told([good, noName, good, noId]), ["inserted", "name", "inserted", "id"]);
    assertEquals((await sql`select id, name from users`).length, 2);
  },
);

databaseTest(
  "postgresWriter() sends nothing where no row of a batch can be written",
  async (sql) => {
    await sql`create table users (id int)`;
    const writer = postgresWriter(sql, { table: "users", columns: ["id"] });
    await writer.check();
    const statements: string[] = [];
    const spy = new Proxy(sql, {
      get(target, name, receiver) {
        if (name !== "unsafe") return Reflect.get(target, name, receiver);
        return (text: string, ...rest: never[]) => {
          statements.push(text);
          return target.unsafe(text, ...rest);
        };
      },
    });
    const spied = postgresWriter(spy, { table: "users", columns: ["id"] });
    const batch = { id: "b", attempt: 1, signal: new AbortController().signal };
    const [error] = await spied.send([{}], batch);
    assertInstanceOf(error, PostgresWriteError);
    assertEquals(statements.length, 1, "only the catalogue is read");
  },
);

databaseTest(
  "postgresWriter() says before anything is sent what the table lacks",
  async (sql, schema) => {
    await sql`create table users (id int, hash text, twice int generated always as (id * 2) stored,
    n int generated always as identity)`;
    const cases: [PostgresWriterOptions, string, string][] = [
      [{ table: "user", columns: ["id"] }, "42P01", "there is no table 'user' on the search path"],
      [{ table: "nowhere.users", columns: ["id"] }, "42P01", "there is no table 'nowhere.users'"],
      [
        { table: "Users", columns: ["id"] },
        "42P01",
        "there is no table 'Users' on the search path",
      ],
      [
        { table: "users", columns: ["id", "Hash"] },
        "42703",
        "table 'users' has no column 'Hash': it has 'id', 'hash', 'twice', 'n'",
      ],
      [
        { table: "users", columns: ["twice"] },
        "428C9",
        "column 'twice' of table 'users' is generated",
      ],
      [
        { table: `${schema}.users`, columns: ["n"] },
        "428C9",
        `column 'n' of table '${schema}.users' is an identity column generated always`,
      ],
      [
        { table: "users", columns: ["id"], conflict: { target: ["id"], action: "ignore" } },
        "42P10",
        "table 'users' has no unique constraint on (id)",
      ],
    ];
    for (const [options, code, message] of cases) {
      const writer = postgresWriter(sql, options);
      const error = await rejection(writer.check());
      assertInstanceOf(error, PostgresWriteError);
      assertEquals([error.code, error.message], [code, `Cannot save rows as ${message}`]);
      assertEquals([error.outcome, error.retryable], ["failed", false]);
    }
  },
);

databaseTest("postgresWriter() asks the catalogue again after it was out of reach", async (sql) => {
  const writer = postgresWriter(sql, { table: "late", columns: ["id"] });
  await rejection(writer.check());
  await sql`create table late (id int)`;
  await writer.check();
});

databaseTest("postgresWriter() says why in words of its own, without the values", async (sql) => {
  await sql`create domain code as uuid constraint no_nil check (value <> '00000000-0000-0000-0000-000000000000')`;
  await sql`create table users (id int primary key, hash text not null check (hash like '$2b$%'), code code)`;
  await sql`create function refuse() returns trigger language plpgsql as $$ begin
    if new.id = 13 then raise exception '»%«', new.hash using errcode = '22P02'; end if;
    if new.id = 14 then
      raise exception 'no %', new.hash
        using errcode = '23514', constraint = new.hash, column = new.hash, table = new.hash;
    end if;
    return new; end $$`;
  await sql`create trigger refuse before insert on users for each row execute function refuse()`;
  const fine = { hash: "$2b$", code: null };
  const misspelt = "a value is not written as the type of its column requires (22P02)";
  const cases: [Row, string][] = [
    [
      { ...fine, id: 1, hash: "SECRET" },
      "it violates a check constraint (23514, constraint 'users_hash_check')",
    ],
    [{ ...fine, id: 2, code: "SECRET" }, misspelt],
    [{ ...fine, id: "SECRET" }, misspelt],
    [{ ...fine, id: 3, hash: null }, "a column must not be null (23502, column 'hash')"],
    [
      { ...fine, id: 4, code: "00000000-0000-0000-0000-000000000000" },
      "it violates a check constraint (23514, constraint 'no_nil')",
    ],
    [{ ...fine, id: 13, hash: "$2b$SECRET" }, misspelt],
    [{ ...fine, id: 14, hash: "$2b$SECRET" }, "it violates a check constraint (23514)"],
  ];
  const writer = postgresWriter(sql, { table: "users", columns: ["id", "hash", "code"] });
  await using batcher = new AsyncBatcher(writer);
  const ends = await Promise.allSettled(cases.map(([row]) => batcher.add(row)));
  for (const [i, end] of ends.entries()) {
    const { reason: error } = end as PromiseRejectedResult;
    assertInstanceOf(error, PostgresWriteError);
    assertEquals(error.message, `Cannot save a row as ${cases[i][1]}`);
    const shown = Deno.inspect(error, { showHidden: true, depth: 9 }) + JSON.stringify(error);
    assert(!shown.includes("SECRET"), shown);
  }
});

databaseTest(
  "postgresWriter() alone rejects a batch with the server's error and saves none of it",
  async (sql) => {
    await sql`create table users (id int primary key)`;
    const rows = [1, 2, 2, 3].map((id) => ({ id }));
    const outcomes = await save(sql, rows, { table: "users", columns: ["id"] }, false);
    const codes = outcomes.map((outcome) =>
      outcome instanceof PostgresWriteError ? outcome.code : outcome
    );
    assertEquals(codes, Array(4).fill("23505"));
    assertEquals((await sql`select from users`).count, 0);
  },
);

databaseTest(
  "postgresWriter() calls the outcome unknown where a trigger changes what is inserted",
  async (sql) => {
    await sql`create table users (id int)`;
    await sql`create function skip() returns trigger language plpgsql as
    'begin if new.id = 2 then return null; end if; return new; end'`;
    await sql`create trigger skip before insert on users for each row execute function skip()`;
    const options = { table: "users", columns: ["id"] };
    const [error] = await save(sql, [{ id: 1 }, { id: 2 }], options);
    assertEquals((error as { outcome: string }).outcome, "unknown");
  },
);

Deno.test("postgresWriter() refuses options that contradict each other", () => {
  const sql = {} as Sql;
  const columns = ["id", "hash"];
  const cases: [unknown, string][] = [
    [{ table: "", columns }, "'table' must be a name"],
    [{ table: "users", columns: [] }, "'columns' must be different names"],
    [{ table: "users", columns: ["id", "id"] }, "'columns' must be different names"],
    [
      { table: "users", columns, conflict: { target: ["key"], action: "ignore" } },
      "'columns' lacks 'key', which 'conflict' names",
    ],
    [
      { table: "users", columns, conflict: { target: ["id"], action: "replace" } },
      `'conflict.action' must be "ignore" or "update": current value is "replace"`,
    ],
    [
      { table: "users", columns: ["id"], conflict: { target: ["id"], action: "update" } },
      "'conflict.update' must be different names",
    ],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(
      () => postgresWriter(sql, options as PostgresWriterOptions),
      TypeError,
    );
    assertEquals(error.message, `Cannot create a writer as ${message}`);
  }
});

databaseTest("PostgresWriter.check() finds out what cannot work", async (sql, schema) => {
  const refusals: [setup: string, sentence: string][] = [
    ["create table users (id int primary key deferrable, hash text)", "'users_pkey' is deferrable"],
    [
      "create table users (id int, hash text); create unique index one on users (id) where id > 0",
      "has no unique constraint on (id): its unique index 'one' is partial",
    ],
    [
      "create table users (id text, hash text); create unique index one on users (lower(id))",
      "its unique index 'one' is on an expression",
    ],
    [
      `create table users (id int, hash text) partition by range (id);
       create table part partition of users for values from (1) to (9);
       create unique index one on only users (id)`,
      "its unique index 'one' is invalid",
    ],
    [
      `create table users (id int primary key, hash text);
       create rule r as on insert to users do also notify users`,
      "cannot be used with table that has INSERT or UPDATE rules",
    ],
    ["create view users as select 1 as id, 'x' as hash", 'cannot insert into view "users"'],
    [
      "create table users (id int generated always as identity primary key, hash text)",
      "column 'id' of table 'users' is an identity column generated always",
    ],
    [
      "create table users (id int primary key, hash text generated always as ('x') stored)",
      "column 'hash' of table 'users' is generated",
    ],
  ];
  for (const [setup, sentence] of refusals) {
    await sql.unsafe(`drop schema ${schema} cascade; create schema ${schema}; ${setup}`);
    const conflict = { target: ["id"], action: "update" } as const;
    const writer = postgresWriter(sql, { table: "users", columns: ["id", "hash"], conflict });
    const error = await rejection(writer.check());
    assertInstanceOf(error, PostgresWriteError);
    assert(error.message.includes(sentence), error.message);
    assertEquals([error.outcome, error.retryable], ["failed", false]);
  }
});

databaseTest("PostgresWriter.check() finds out that a right is missing", async (sql, schema) => {
  const role = `${schema}_role`;
  await sql.unsafe(`create table users (id int primary key, hash text); create role ${role};
    grant usage on schema ${schema} to ${role}; grant select, insert on users to ${role}`);
  try {
    await using other = await connect({ max: 1, connection: { search_path: schema } });
    await other.unsafe(`set role ${role}`);
    const writer = (action: "ignore" | "update") =>
      postgresWriter(other, {
        ...{ table: "users", columns: ["id", "hash"] },
        conflict: { target: ["id"], action },
      });
    await writer("ignore").check();
    const error = await rejection(writer("update").check());
    assert((error as Error).message.includes("the user may not UPDATE column 'hash'"));
  } finally {
    await sql.unsafe(`drop owned by ${role}; drop role ${role}`);
  }
});
