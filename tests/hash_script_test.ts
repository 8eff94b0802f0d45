import { assert, assertEquals, assertMatch } from "@std/assert";
import { gzipSync } from "node:zlib";
import { hashPassword, verifyPassword } from "../workload.ts";
import { account, hashTest } from "./_hash.ts";
import { assertSaved, countOf, csv, password, range } from "./_users.ts";
import { assertHidden, SECRET } from "./fixtures/hash_run.ts";
import { hash, runHere } from "./fixtures/script_here.ts";

hashTest("reads CSV and saves ids, hashes and further columns", async ({ sql, file, flags }) => {
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

hashTest("reads NDJSON from the standard input, into a table that is there", async (context) => {
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

hashTest("reads plain lines in gzip, whose ids are their numbers", async ({ sql, file, flags }) => {
  const path = await file("list.txt.gz", gzipSync(range(700).map(password).join("\r\n")));
  const { code, stdout } = await hash([path, ...flags, "--create-table"]);
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 700, saved: 700, hashed: 700 });
  await assertSaved(sql, range(700));
  const [{ type }] = await sql`select pg_typeof(id)::text as type from users limit 1`;
  assertEquals(type, "bigint");
});

hashTest("tells of every row that cannot be used, and loses no other", async (context) => {
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
    '6,"its password has a NUL (U+0000) in it"',
    '7,"it has 4 fields, and the header 3"',
    '8,"a quote in it is not closed"',
    '9,"Cannot look up a key as a value is not written as the type of its column requires (22P02)"',
    '10,"Cannot look up a key as a number is out of range for its column (22003)"',
    '11,"Cannot save a row as a value is not written as the type of its column requires (22P02)"',
    `12,"Cannot save a row as it violates a check constraint (23514, constraint 'users_n_check')"`,
    '13,"Cannot save a row as a number is out of range for its column (22003)"',
    '14,"Cannot save a row as a trigger refused it (P0001)"',
    '16,"it is not valid UTF-8"',
  ]);
});

hashTest("skips ids that are there", async ({ sql, file, flags }) => {
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

hashTest("keeps the first of rows with the same id", async ({ sql, file, flags }) => {
  await sql`create table users (id int primary key, hash text, n int check (n > 0))`;
  const rows = ["1,Secret-1,1", "01,Secret,1", "2,Secret,0", " 2,Secret-2,1", "2,Secret,2"];
  const path = await file("users.csv", `id,password,n\n${rows.join("\n")}`);
  const { code, stdout } = await hash([path, ...flags, "--columns", "n"]);
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 5, saved: 2, skipped: 2, rejected: 1, hashed: 3 });
  await assertSaved(sql, [1, 2]);
});

hashTest(
  "--on-conflict update hashes again what is there, and the last row wins",
  async (context) => {
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
  },
);

hashTest("--on-conflict error rejects what is there", async ({ sql, file, flags }) => {
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

hashTest(
  "tells in the end that the input is damaged, and saves what is before",
  async (context) => {
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
  },
);

hashTest("lets the columns read the text of CSV, and keeps the values of JSON", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text, doc jsonb, tags text[], image bytea)`;
  const csv = await file(
    "users.csv",
    'id,password,doc,tags,image\n1,Secret,"{""role"":""admin""}","{x,y}",\\x00ff\n2,Secret,{,{},\n',
  );
  const json = await file(
    "users.ndjson",
    '{"id":3,"password":"Secret","doc":"{}","tags":["{x}"],"image":null}\n',
  );
  const copy = [...flags, "--columns", "doc,tags,image"];
  const first = await runHere("hash.ts", [csv, ...copy]);
  assertEquals([first.code, account(first.stdout)], [1, {
    ...{ read: 2, saved: 1, rejected: 1, hashed: 2 },
  }]);
  assertEquals((await runHere("hash.ts", [json, ...copy])).code, 0);
  assertEquals([...await sql`select doc, tags, image::text from users order by id`], [
    { doc: { role: "admin" }, tags: ["x", "y"], image: "\\x00ff" },
    { doc: "{}", tags: ["{x}"], image: null },
  ]);
});

hashTest("--hashed saves hashes as they are, once they are checked", async (context) => {
  const { sql, file, flags } = context;
  const good = await Promise.all([
    hashPassword("Secret", { cost: 4 }),
    hashPassword("Secret", { algorithm: "scrypt", cost: 1 }),
    hashPassword("Secret", { algorithm: "argon2id", cost: 1, memory: 8 }),
  ]);
  const bad = [
    good[0].replace("$04$", "$03$"),
    good[0].slice(1),
    "5f4dcc3b5aa765d61d8327deb882cf99",
  ];
  const lines = [...good, ...bad].map((hash, i) => `${i};${hash}\n`);
  const path = await file("users.csv", `id;password\n${lines.join("")}`);
  const hashed = await runHere("hash.ts", [path, ...flags, "--create-table", "--hashed"]);
  assertEquals([hashed.code, account(hashed.stdout)], [1, {
    ...{ read: 6, saved: 3, rejected: 3, copied: 3 },
  }]);
  const rows = await sql`select hash from users order by id`;
  assertEquals(rows.map(({ hash }) => hash), good);
});
