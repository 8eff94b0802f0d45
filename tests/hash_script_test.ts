import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type postgres from "postgres";
import { startEmbeddedServer } from "../scripts/database/embedded.ts";
import { Account } from "../scripts/hash/account.ts";
import { JobProgress } from "../scripts/hash/progress.ts";
import { tableStore } from "../scripts/table/store.ts";
import { prepareTable } from "../scripts/table/table.ts";
import { verifyPassword } from "../workload.ts";
import { allowed, databaseTest, databaseUrl } from "./_database.ts";
import { withFolder, withSql } from "./fixtures/embedded_helpers.ts";
import { assertHidden, hash, HashRun, SECRET, until } from "./fixtures/hash_run.ts";

/** A test with a schema, a folder and the flags for both. */
function test(
  name: string,
  fn: (context: {
    sql: postgres.Sql;
    /** Path of a file in the folder, written if there is content for it. */
    file: (name: string, content?: string | Uint8Array) => Promise<string>;
    /** The flags that name the database, and the same with the table. */
    connection: string[];
    flags: string[];
    table: string;
  }) => Promise<void>,
): void {
  databaseTest(`hash.ts ${name}`, (sql, schema) =>
    withFolder(async (folder) => {
      const table = `${schema}.users`;
      const connection = ["--database-url", databaseUrl(), "--cost", "4", "--json"];
      await fn({
        sql,
        table,
        connection,
        flags: [...connection, "--table", table],
        async file(name, content) {
          const path = join(folder, name);
          if (typeof content === "string") await Deno.writeTextFile(path, content);
          else if (content !== undefined) await Deno.writeFile(path, content);
          return path;
        },
      });
    }));
}

const password = (id: unknown) => `${SECRET}-${id}`;
const csv = (ids: readonly unknown[]) =>
  "id,password\n" + ids.map((id) => `${id},${password(id)}\n`).join("");
const range = (length: number) => Array.from({ length }, (_, i) => i + 1);

/** The numbers of an account in JSON that are not 0, without those that depend on the machine. */
function account(stdout: string): Record<string, number> {
  const { version: _, seconds: __, complete: ___, dryRun: ____, ...counts } = JSON.parse(stdout);
  const { read, hashed: _____, ...ended } = counts;
  const sum = Object.values(ended as Record<string, number>).reduce((a, b) => a + b);
  assertEquals(sum, read, "the account does not add up");
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0)) as Record<
    string,
    number
  >;
}

/** Fails unless there are rows of exactly these ids, and every sampled hash is that of its password. */
async function assertSaved(sql: postgres.Sql, ids: readonly unknown[], sample = 10): Promise<void> {
  const rows = await sql`select id::text, hash from users order by id`;
  assertEquals(new Set(rows.map(({ id }) => id)), new Set(ids.map(String)));
  assertEquals(rows.length, ids.length);
  const step = Math.max(1, Math.floor(rows.length / sample));
  for (let i = 0; i < rows.length; i += step) {
    assert(await verifyPassword(password(rows[i].id), rows[i].hash), `row ${rows[i].id}`);
  }
}

async function countOf(sql: postgres.Sql): Promise<number> {
  const [{ count }] = await sql`select count(*)::int from users`;
  return count;
}

const linesIn = async (path: string) => (await Deno.readTextFile(path)).trimEnd().split("\n");

test("reads CSV and saves ids, hashes and further columns", async ({ sql, file, flags }) => {
  const path = await file(
    "users.csv",
    '\ufeffmail,id,password\r\na@b,1,Secret-1\r\n,2,Secret-2\r\n"",3,"Secret-3"\r\n',
  );
  const { code, stdout, stderr } = await hash([
    ...[path, ...flags, "--create-table", "--columns", "mail"],
  ]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout).complete, true);
  assertEquals(account(stdout), { read: 3, saved: 3, hashed: 3 });
  await assertSaved(sql, [1, 2, 3]);
  const mails = await sql`select mail from users order by id`;
  assertEquals(mails.map(({ mail }) => mail), ["a@b", null, ""]);
  const types = await sql`select format_type(atttypid, atttypmod) as type, attnotnull as not_null
    from pg_attribute where attrelid = 'users'::regclass and attnum > 0 order by attnum`;
  assertEquals(types.map(({ type, not_null }) => [type, not_null]), [
    ...[["text", true], ["text", true], ["text", false]],
  ]);
});

test("reads NDJSON from the standard input, into a table that is there", async (context) => {
  const { sql, flags } = context;
  await sql`create table users (id uuid primary key, "Hash" varchar(60), age int, at timestamptz default now())`;
  const ids = range(3).map((i) => `00000000-0000-0000-0000-00000000000${i}`);
  const input = ids.map((id, i) => JSON.stringify({ id, pw: password(id), age: i })).join("\n");
  const { code, stdout } = await hash([
    ...["-", "--format", "ndjson", "--password", "pw", "--hash-column", "Hash"],
    ...[...flags, "--columns", "age"],
  ], { input });
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 3, saved: 3, hashed: 3 });
  const rows = await sql`select id, "Hash" as hash, age from users order by id`;
  assertEquals(rows.map(({ id, age }) => [id, age]), ids.map((id, i) => [id, i]));
  assert(await verifyPassword(password(ids[1]), rows[1].hash));
});

test("reads plain lines in gzip, whose ids are their numbers", async ({ sql, file, flags }) => {
  const path = await file("list.txt.gz", gzipSync(range(700).map(password).join("\r\n")));
  const { code, stdout } = await hash([path, ...flags, "--create-table"]);
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 700, saved: 700, hashed: 700 });
  await assertSaved(sql, range(700));
  const [{ type }] = await sql`select pg_typeof(id)::text as type from users limit 1`;
  assertEquals(type, "bigint");
});

test("tells of every row that cannot be used, and loses no other", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id smallint primary key, hash text, n int check (n < 9))`;
  await sql`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no % here, nor %', new.id, new.hash; end $$`;
  await sql`create trigger refuse before insert on users for each row when (new.id = 13) execute function refuse()`;
  const path = await file(
    "users.csv",
    [
      "id,password,n",
      "1,Secret-1,1",
      ",Secret,1",
      "3,,1",
      `4,${SECRET.repeat(13)},1`,
      "5,Secret\0,1",
      "6,Secret,1,1",
      '7,"Secret,1',
      "x,Secret,1",
      "99999,Secret,1",
      "10,Secret,x",
      "11,Secret,9",
      "12,Secret,99999999999",
      "13,Secret,1",
      "14,Secret-14,2",
    ].join("\n"),
  );
  await Deno.writeFile(path, new Uint8Array([10, 49, 53, 44, 83, 0xff, 44, 10]), { append: true });
  const rejects = await file("rejects.csv");
  const { code, stdout, stderr } = await hash([
    ...[path, ...flags, "--columns", "n", "--rejects", rejects],
  ]);
  assertEquals([code, stderr], [1, ""]);
  assertEquals(account(stdout), { read: 15, saved: 2, rejected: 13, hashed: 6 });
  await assertSaved(sql, [1, 14]);
  const text = await Deno.readTextFile(rejects);
  assertHidden(text);
  const lines = text.trimEnd().split("\n").slice(1).sort((a, b) => parseInt(a) - parseInt(b));
  assertEquals(lines, [
    '3,"it has no id"',
    '4,"it has no password"',
    '5,"Cannot hash a password of 78 bytes as bcrypt sees only the first 72"',
    '6,"Cannot hash a password with a NUL character in it as bcrypt stops there"',
    '7,"it has 4 fields, and the header 3"',
    '8,"a quote in it is not closed"',
    '9,"invalid input syntax for type smallint: ""…"""',
    '10,"value ""…"" is out of range for type smallint"',
    '11,"invalid input syntax for type integer: ""…"""',
    '12,"new row for relation ""users"" violates check constraint ""users_n_check"""',
    '13,"value ""…"" is out of range for type integer"',
    '14,"no 13 here, nor …"',
    '16,"it is not valid UTF-8"',
  ]);
});

test("names the first rejected rows on the terminal, then counts", async ({ file, flags }) => {
  const path = await file("users.csv", csv(["", ...range(2), ...range(14).fill("" as never)]));
  const { code, stdout, stderr } = await hash([path, ...flags, "--create-table"]);
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 17, saved: 2, rejected: 15, hashed: 2 });
  const lines = stderr.trimEnd().split("\n");
  assertEquals([lines.length, lines[0]], [11, "Line 2 is rejected: it has no id"]);
  assertEquals(lines[10], "5 more are rejected: see --rejects");
});

test("skips ids that are there", async ({ sql, file, flags }) => {
  const path = await file("users.csv", csv(range(1_500)));
  await sql`create table users (id int primary key, hash text)`;
  await sql`insert into users select i, 'kept' from generate_series(1, 1490) i`;
  const { code, stdout } = await hash([path, ...flags]);
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 1_500, saved: 10, skipped: 1_490, hashed: 10 });
  const [{ kept }] = await sql`select count(*)::int as kept from users where hash = 'kept'`;
  assertEquals(kept, 1_490);
  assertEquals(account((await hash([path, ...flags])).stdout), { read: 1_500, skipped: 1_500 });
});

databaseTest("tableStore() asks for hundreds of ids at once, and finds bad ones", async (sql) => {
  await sql`create table users (id int primary key, hash text)`;
  await sql`insert into users values (7, 'x')`;
  const target = { table: "users", id: "id", hash: "hash", carried: [] };
  const table = await prepareTable(sql, target, { create: false, numbered: false });
  let statements = 0;
  const counting = {
    unsafe: (...args: Parameters<typeof sql.unsafe>) => (statements++, sql.unsafe(...args)),
  } as unknown as typeof sql;
  await using store = tableStore(counting, { target, table, onConflict: "skip", retryFor: 0 });
  const ids: unknown[] = range(500).map((i) => `0${i}`);
  const known = await store.find(ids);
  assertEquals(statements, 1);
  assertEquals(known.slice(5, 8), [
    { key: "6", there: false },
    { key: "7", there: true },
    { key: "8", there: false },
  ]);
  statements = 0;
  ids[300] = "x";
  ids[301] = "\0";
  const mixed = await store.find(ids);
  assert(statements < 20, `${statements} statements`);
  assertEquals(mixed.map((one) => one instanceof Error).filter(Boolean).length, 2);
  assert(mixed[300] instanceof Error && mixed[301] instanceof Error);
  mixed.forEach((one, i) => {
    if (!(one instanceof Error)) assertEquals(one, { key: `${i + 1}`, there: i === 6 });
  });
});

test("keeps the first of rows with the same id", async ({ sql, file, flags }) => {
  await sql`create table users (id int primary key, hash text, n int check (n > 0))`;
  const rows = ["1,Secret-1,1", "01,Secret,1", "2,Secret,0", " 2,Secret-2,1", "2,Secret,2"];
  const path = await file("users.csv", `id,password,n\n${rows.join("\n")}`);
  const { code, stdout } = await hash([path, ...flags, "--columns", "n"]);
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 5, saved: 2, skipped: 2, rejected: 1, hashed: 3 });
  await assertSaved(sql, [1, 2]);
});

test("--on-conflict update hashes again what is there, and the last row wins", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  await sql`insert into users values (1, 'old'), (4, 'old')`;
  const rows = ["1,Secret", "2,Secret", "1,Secret-1", "3,Secret-3", "2,Secret-2"];
  const path = await file("users.csv", `id,password\n${rows.join("\n")}`);
  const { code, stdout } = await hash([path, ...flags, "--on-conflict", "update"]);
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 5, saved: 2, updated: 3, hashed: 5 });
  assertEquals((await sql`delete from users where id = 4 returning hash`)[0].hash, "old");
  await assertSaved(sql, [1, 2, 3]);
});

test("--on-conflict error rejects what is there", async ({ sql, file, flags }) => {
  await sql`create table users (id int primary key, hash text)`;
  await sql`insert into users values (1, 'old')`;
  const path = await file("users.csv", csv([1, 2, 3, 2]));
  const { code, stdout, stderr } = await hash([path, ...flags, "--on-conflict", "error"]);
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 4, saved: 2, rejected: 2, hashed: 2 });
  assertEquals(stderr.trimEnd().split("\n").sort(), [
    "Line 2 is rejected: its id is there already",
    "Line 5 is rejected: its id is there already",
  ]);
  assertEquals(await countOf(sql), 3);
});

test("does what is missing after it was killed, each row once", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  const ids = range(1_500);
  const path = await file("users.csv", csv(ids));
  for (let i = 0; i < 4; i++) {
    await using run = new HashRun([path, ...flags]);
    const enough = Math.min(ids.length, await countOf(sql) + Math.ceil(Math.random() * 300));
    await until(async () => await countOf(sql) >= enough || !await run.running);
    run.kill("SIGKILL");
    await run.output();
  }
  const before = await countOf(sql);
  const { code, stdout } = await hash([path, ...flags]);
  assertEquals(code, 0);
  const { read, saved = 0, skipped, hashed = 0 } = account(stdout);
  assertEquals([read, saved + skipped, hashed], [1_500, 1_500, saved]);
  assert(skipped >= before);
  await assertSaved(sql, ids, 50);
});

/** Whether a burst waits for a lock. */
const isLockedOut = async (sql: postgres.Sql, table: string) => {
  const rows = await sql`select from pg_locks where relation = ${table}::regclass and not granted`;
  return rows.length > 0;
};

test("stops reading at Ctrl-C and saves what is hashed", async ({ sql, table, flags }) => {
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(["-", "--format", "csv", ...flags]);
  const lock = await sql.reserve();
  await lock`begin`;
  await lock`lock table users in share mode`;
  await run.write(csv(range(5)));
  await until(() => isLockedOut(sql, table));
  run.kill("SIGINT");
  await lock`commit`;
  lock.release();
  const { code, stdout, stderr } = await run.output();
  assertEquals([code, stderr], [130, ""]);
  assertEquals(JSON.parse(stdout).complete, false);
  const { read, saved, hashed, unfinished = 0 } = account(stdout);
  assertEquals([read, saved + unfinished, hashed], [5, 5, saved]);
  assert(saved > 0);
  assertEquals(await countOf(sql), saved);
});

test("ends at once at the second Ctrl-C", async ({ sql, table, flags }) => {
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(["-", "--format", "csv", ...flags]);
  const lock = await sql.reserve();
  try {
    await lock`begin`;
    await lock`lock table users in share mode`;
    await run.write(csv(range(5)));
    await until(() => isLockedOut(sql, table));
    run.kill("SIGINT");
    // A signal that follows too closely is the same one to the operating system.
    const again = setInterval(() => run.kill("SIGINT"), 50);
    const { code, stdout } = await run.output().finally(() => clearInterval(again));
    assertEquals([code, stdout], [130, ""]);
  } finally {
    await lock`rollback`;
    lock.release();
  }
});

test("goes on when connections break, and knows which rows are its own", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  const ids = range(1_500);
  const path = await file("users.csv", csv(ids));
  await using run = new HashRun([path, ...flags]);
  for (let enough = 50; enough < ids.length && await run.running; enough += 150) {
    await until(async () => await countOf(sql) >= enough || !await run.running);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'burst'`;
  }
  const { code, stdout } = await run.output();
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 1_500, saved: 1_500, hashed: 1_500 });
  await assertSaved(sql, ids);
});

test("reports rows as unknown whose connection broke before the answer", async (context) => {
  const { sql, table, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(["-", "--format", "csv", "--on-conflict", "error", ...flags]);
  const lock = await sql.reserve();
  await lock`begin`;
  await lock`lock table users in share mode`;
  await run.write(csv(range(5)));
  await until(() => isLockedOut(sql, table));
  await sql`select pg_terminate_backend(pid) from pg_locks where relation = ${table}::regclass and not granted`;
  await lock`commit`;
  lock.release();
  await run.write("6,Secret-6\n");
  await run.endInput();
  const { code, stdout, stderr } = await run.output();
  assertEquals(code, 1);
  const { read, saved, hashed, unknown } = account(stdout);
  assertEquals([read, saved + unknown, hashed], [6, 6, 6]);
  assert(unknown > 0);
  assertEquals(await countOf(sql), saved);
  assertMatch(stderr, /^Cannot use the database at .* as the connection broke: .*\n$/);
});

test("ends with a sentence and an honest account when the table vanishes", async (context) => {
  const { sql, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(["-", "--format", "csv", ...flags]);
  await run.write(csv(range(100)));
  await until(async () => await countOf(sql) === 100);
  await sql`drop table users`;
  await run.write("101,Secret\n102,Secret\n");
  const { code, stdout, stderr } = await run.output();
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 102, saved: 100, unfinished: 2, hashed: 100 });
  assertMatch(
    stderr,
    /^Cannot use the database at .* as relation .* does not exist: create the table, or correct its name \(42P01\)\n$/,
  );
});

Deno.test("hash.ts ends when the server dies, and a second run does the rest", {
  ignore: !allowed || Deno.build.os === "windows",
}, () =>
  withFolder(async (folder) => {
    const ids = range(2_000);
    const path = join(folder, "users.csv");
    await Deno.writeTextFile(path, csv(ids));
    const dataDir = join(folder, "data");
    const flags = ["--create-table", "--cost", "4", "--json"];
    let saved: number;
    {
      // What it says it has saved must survive it.
      await using server = await startEmbeddedServer({ dataDir });
      await using run = new HashRun([
        path,
        "--database-url",
        server.url,
        "--retry-for",
        "5",
        ...flags,
      ]);
      await withSql(server.url, async (sql) => {
        await until(async () => await countOf(sql).catch(() => 0) >= 100);
      });
      Deno.kill(server.pid, "SIGKILL");
      const { code, stdout, stderr } = await run.output();
      assertEquals(code, 1);
      const { read, hashed, ...ended } = account(stdout);
      saved = ended.saved;
      assert(saved > 0 && saved < hashed && hashed <= read, stdout);
      assertMatch(
        stderr,
        /Cannot use the database at postgres:\/\/burst@127.0.0.1:\d+\/postgres as /,
      );
      assert(!stderr.includes(new URL(server.url).password));
    }
    const { code, stdout } = await hash([path, "--data-dir", dataDir, ...flags]);
    assertEquals(code, 0);
    const { read, saved: rest = 0, skipped } = account(stdout);
    assertEquals([read, rest + skipped], [2_000, 2_000]);
    assert(skipped >= saved);
    await using server = await startEmbeddedServer({ dataDir });
    await withSql(server.url, (sql) => assertSaved(sql, ids));
  }));

test("checks the table before anything is hashed", async (context) => {
  const { sql, table, file, flags, connection } = context;
  const path = await file("users.csv", "id,password,mail\n1,Secret,x\n");
  const fails = async (sentence: string, args = flags) => {
    const { code, stdout, stderr } = await hash([path, ...args, "--columns", "mail"]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, sentence);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
  };
  await fails(`there is no table '${table}': use --create-table`);
  await fails("there is no table 'missing' on the search path", [
    ...connection,
    "--table",
    "missing",
  ]);
  await sql`create table users (id int, hash int)`;
  await fails("has no column 'mail': it has 'id', 'hash'");
  await sql`alter table users add mail text`;
  await fails("has no unique constraint on (id)");
  await sql`alter table users add primary key (id)`;
  await fails("of type integer cannot hold a hash of 60 characters");
  for (const type of ["varchar(59)", "bytea", "jsonb"]) {
    await sql.unsafe(`alter table users drop hash, add hash ${type}`);
    await fails("cannot hold a hash of 60 characters");
  }
  await sql`alter table users drop hash, add hash text, add due date not null`;
  await fails("column 'due' of table");
  await sql`alter table users drop due, drop id, add id uuid primary key`;
  const lines = await hash([await file("a.txt", "Secret"), ...flags]);
  assertEquals([lines.code, lines.stdout], [1, ""]);
  assertStringIncludes(lines.stderr, "column 'id' of table");
});

test("--create-table leaves a table alone that is there", async (context) => {
  const { sql, table, file, flags, connection } = context;
  await sql`create table users (id int primary key, hash text, further int)`;
  const path = await file("users.csv", csv([1]));
  assertEquals((await hash([path, ...flags, "--create-table"])).code, 0);
  assertEquals((await sql`select * from users`)[0].further, null);
  const quoted = `${table.split(".")[0]}.we"ird Name`;
  assertEquals((await hash([path, ...connection, "--create-table", "--table", quoted])).code, 0);
  assertEquals((await sql`select id from "we""ird Name"`).length, 1);
});

test("tells in the end that the input is damaged, and saves what is before", async (context) => {
  const { sql, file, flags } = context;
  const packed = gzipSync(csv(range(5_000)));
  const path = await file("users.csv.gz", packed.subarray(0, packed.length - 20));
  const { code, stdout, stderr } = await hash([path, ...flags, "--create-table"]);
  assertEquals(code, 1);
  assertMatch(stderr, /Cannot read '.*users.csv.gz' as it is cut off/);
  const { read, saved } = account(stdout);
  assertEquals(saved, read);
  assert(read > 0);
  assertEquals(JSON.parse(stdout).complete, false);
  await assertSaved(sql, range(read));
});

test("--dry-run needs no database, and saves nothing", async ({ sql, file }) => {
  const path = await file("users.csv", csv([1, 2, "", 1]));
  const { code, stdout } = await hash([path, "--dry-run", "--json", "--cost", "4"]);
  assertEquals(code, 1);
  assertEquals(JSON.parse(stdout).dryRun, true);
  assertEquals(account(stdout), { read: 4, saved: 3, rejected: 1, hashed: 3 });
  assertEquals((await sql`select to_regclass('users') as found`)[0].found, null);
});

test("prints the account for people", async ({ file, flags }) => {
  const path = await file("users.csv", csv([...range(3), ""]));
  const args = [path, ...flags.filter((flag) => flag !== "--json"), "--create-table"];
  assertMatch(
    (await hash(args)).stdout,
    /^read +4\nsaved +3\nupdated +0\nskipped +0\nrejected +1\n\n3 hashes in [\d.]+ s: [\d.,]+ a second\n$/,
  );
  assertStringIncludes((await hash(args)).stdout, "skipped     3  their ids were there already\n");
});

test("refuses what cannot work, as a mistake in the flags", async ({ file, flags }) => {
  const path = await file("users.csv", csv([1]));
  const fails = async (sentence: string, ...args: string[]) => {
    const { code, stdout, stderr } = await hash(args);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, sentence);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
  };
  await fails("there is no database to save to: name one with --database-url", path);
  await fails("it needs an INPUT");
  await fails("it takes no arguments but flags and INPUT", path, path);
  await fails("the standard input does not tell the format", "-", ...flags);
  await fails("--format must be one of csv, ndjson, lines: it is 'xml'", path, "--format", "xml");
  await fails("--on-conflict must be one of", path, "--on-conflict", "replace");
  await fails("--cost must be a whole number from 4 to 31", path, "--cost", "3");
  await fails("--columns names the password", path, ...flags, "--columns", "password");
  await fails("must name different columns", path, ...flags, "--columns", "hash");
  await fails("plain lines have none", "a.txt", ...flags, "--columns", "a");
  await fails("with both --database-url and --data-dir", path, ...flags, "--data-dir", "x");
  await fails("--rejects names the input", path, ...flags, "--rejects", path);
  await fails("there is no flag '--tabel'", path, "--tabel", "users");
  assertEquals((await linesIn(path)).length, 2);
});

test("--help tells every flag", async () => {
  const { code, stdout } = await hash(["--help"]);
  assertEquals(code, 0);
  for (const flag of ["--data-dir DIR", "--on-conflict skip|update|error", "--rejects FILE"]) {
    assertStringIncludes(stdout, flag);
  }
});

Deno.test("JobProgress tells every few seconds where the job stands, without a terminal", {
  ignore: !allowed || Deno.stderr.isTerminal(),
}, () => {
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval", "performance"] });
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => void lines.push(line);
  try {
    const account = new Account();
    const input = { name: "", size: 4_000, bytesRead: 0, chunks: undefined as never };
    using progress = new JobProgress(account, input);
    clock.tick(5_000);
    input.bytesRead = 1_000;
    progress.noteRows(500);
    progress.noteResponse(12.4);
    account.hashed = 80;
    account.count("saved", 80);
    account.count("skipped", 20);
    clock.tick(5_000);
    input.bytesRead = 4_000;
    progress.noteRows(2_000);
    account.count("rejected", 1_900);
    clock.tick(5_000);
    assertEquals(lines, [
      "0 done, 0.0 hashes/s",
      "100 of about 2,000 done, 8.0 hashes/s, 3:58 left, database 12 ms",
      "2,000 of 2,000 done, 5.3 hashes/s, 0:00 left, database 12 ms",
    ]);
  } finally {
    console.error = error;
    clock.uninstall();
  }
});
