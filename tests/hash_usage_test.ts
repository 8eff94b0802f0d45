import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { JobProgress } from "../scripts/job/progress.ts";
import { allowed } from "./_permissions.ts";
import { account, hashTest, linesIn } from "./_hash.ts";
import { csv, range } from "./_users.ts";
import type { Output } from "./fixtures/hash_run.ts";
import { hash, runHere } from "./fixtures/script_here.ts";

hashTest("names the first rejected rows on the terminal, then counts", async ({ file, flags }) => {
  const path = await file("users.csv", csv(["", ...range(2), ...range(14).fill("" as never)]));
  const { code, stdout, stderr } = await hash([path, ...flags, "--create-table"]);
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 17, saved: 2, rejected: 15, hashed: 2 });
  const lines = stderr.trimEnd().split("\n");
  assertEquals([lines.length, lines[0]], [11, "Line 2 is rejected: it has no id"]);
  assertEquals(lines[10], "5 more are rejected: see --rejects");
});

hashTest("checks the table before anything is hashed", async (context) => {
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
  for (const type of ["real", "double precision", "numeric(10,2)"]) {
    await sql.unsafe(`alter table users alter id type ${type}`);
    await fails(
      `column 'id' of table '${table}' has the type ${type}, which rounds and makes one id of two: name another column with --id, or make it bigint, numeric or text\n`,
    );
  }
  await sql`alter table users alter id type numeric(10)`;
  await sql`alter table users drop hash, add hash text, add due date not null`;
  await fails("column 'due' of table");
  await sql`alter table users drop due, drop id, add id uuid primary key`;
  const lines = await hash([await file("a.txt", "Secret"), ...flags]);
  assertEquals([lines.code, lines.stdout], [1, ""]);
  assertStringIncludes(lines.stderr, "column 'id' of table");
});

hashTest("--create-table leaves a table alone that is there", async (context) => {
  const { sql, table, file, flags, connection } = context;
  await sql`create table users (id int primary key, hash text, further int)`;
  const path = await file("users.csv", csv([1]));
  assertEquals((await hash([path, ...flags, "--create-table"])).code, 0);
  assertEquals((await sql`select * from users`)[0].further, null);
  const quoted = `${table.split(".")[0]}.we"ird Name`;
  assertEquals((await hash([path, ...connection, "--create-table", "--table", quoted])).code, 0);
  assertEquals((await sql`select id from "we""ird Name"`).length, 1);
});

hashTest("renames columns, and finds the delimiter", async ({ sql, file, flags }) => {
  const path = await file("users.csv", "Id;Pass Word;Street\n1;mellon;Bag End, 1\n2;NULL;Bree\n");
  const { code, stdout } = await hash([
    ...[path, ...flags, "--create-table", "--literal", "--password", "Pass Word"],
    ...["--id", "id=Id", "--columns", "street=Street"],
  ]);
  assertEquals([code, account(stdout)], [0, { read: 2, saved: 2, hashed: 2 }]);
  const rows = await sql`select id, street from users order by id`;
  assertEquals(rows.map(({ id, street }) => [id, street]), [["1", "Bag End, 1"], ["2", "Bree"]]);
});

hashTest("--dry-run needs no database, and saves nothing", async ({ sql, file }) => {
  const path = await file("users.csv", csv([1, 2, "", 1]));
  const { code, stdout } = await hash([path, "--dry-run", "--json", "--cost", "4"]);
  assertEquals(code, 1);
  assertEquals(JSON.parse(stdout).dryRun, true);
  assertEquals(account(stdout), { read: 4, saved: 3, rejected: 1, hashed: 3 });
  assertEquals((await sql`select to_regclass('users') as found`)[0].found, null);
});

hashTest("prints the account for people", async ({ file, flags }) => {
  const path = await file("users.csv", csv([...range(3), ""]));
  const args = [path, ...flags.filter((flag) => flag !== "--json"), "--create-table"];
  assertMatch(
    (await hash(args)).stdout,
    /^read +4\nsaved +3\nupdated +0\nskipped +0\nrejected +1\n\n3 hashes in [\d.]+ s: [\d.,]+ a second\n$/,
  );
  assertStringIncludes((await hash(args)).stdout, "skipped     3  their ids were there already\n");
});

hashTest("refuses what cannot work, as a mistake in the flags", async ({ file, flags }) => {
  const path = await file("users.csv", csv([1]));
  const assertRefused = ({ code, stdout, stderr }: Output, sentence: string) => {
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, sentence);
    assertEquals(stderr.trimEnd().split("\n").length, 1);
  };
  const fails = async (sentence: string, ...args: string[]) =>
    assertRefused(await runHere("hash.ts", args), sentence);
  // Where the tests are given a DATABASE_URL, only a process of its own has none
  const sentence = "without a database: name one with --database-url";
  assertRefused(await hash([path], { env: { DATABASE_URL: "" } }), sentence);
  await fails("without an INPUT");
  await fails("it takes INPUT only, besides flags", path, path);
  await fails("the standard input does not tell the format", "-", ...flags);
  await fails("--format must be csv, ndjson, json or lines, not 'xml'", path, "--format", "xml");
  await fails("--on-conflict must be skip, update or error", path, "--on-conflict", "replace");
  await fails("--cost must be a whole number from 4 to 31", path, "--cost", "3");
  await fails("--columns names the password", path, ...flags, "--columns", "password");
  await fails("must name different columns", path, ...flags, "--columns", "hash");
  await fails("plain lines have none", "a.txt", ...flags, "--columns", "a");
  await fails("with both --database-url and --data-dir", path, ...flags, "--data-dir", "x");
  await fails("--rejects names the input", path, ...flags, "--rejects", path);
  await Deno.link(path, `${path}.link`);
  await fails("--rejects names the input", path, ...flags, "--rejects", `${path}.link`);
  await new Deno.Command("mkfifo", { args: [`${path}.pipe`] }).output();
  await fails("--rejects names a pipe", path, ...flags, "--rejects", `${path}.pipe`);
  await fails("there is no flag '--tabel': did you mean '--table'?", path, "--tabel", "users");
  assertEquals((await linesIn(path)).length, 2);
});

hashTest("--help tells every flag", async () => {
  const { code, stdout } = await runHere("hash.ts", ["--help"]);
  assertEquals(code, 0);
  for (const flag of ["--data-dir DIR", "--on-conflict skip|update|error\n", "--rejects FILE"]) {
    assertStringIncludes(stdout, flag);
  }
});

Deno.test("JobProgress tells every few seconds where the job stands, without a terminal", {
  ignore: !allowed,
}, () => {
  const { isTerminal } = Deno.stderr;
  Deno.stderr.isTerminal = () => false;
  const clock = FakeTimers.install({ toFake: ["setInterval", "clearInterval", "performance"] });
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => void lines.push(line);
  try {
    const counts = { done: 0, computed: 0 };
    const input = { name: "", size: 4_000, bytesRead: 0, chunks: undefined as never };
    using progress = new JobProgress(counts, { input, unit: "hashes" });
    clock.tick(5_000);
    input.bytesRead = 1_000;
    progress.noteRows(500);
    progress.noteResponse(12.4);
    counts.computed = 80;
    counts.done = 100;
    clock.tick(5_000);
    input.bytesRead = 4_000;
    progress.noteRows(2_000);
    counts.done = 2_000;
    clock.tick(5_000);
    assertEquals(lines, [
      "0 done, 0.0 hashes/s",
      "100 of about 2,000 done, 8.0 hashes/s, 3:58 left, database 12 ms",
      "2,000 of 2,000 done, 5.3 hashes/s, 0:00 left, database 12 ms",
    ]);
  } finally {
    console.error = error;
    Deno.stderr.isTerminal = isTerminal;
    clock.uninstall();
  }
});

hashTest(
  "writes nothing but JSON lines to the standard error with --log-format json",
  async ({ file }) => {
    const path = await file("users.csv", "id,password\n1,Secret\n2,\n,Secret\n");
    const { code, stderr } = await hash([path, "--dry-run", "--cost=4", "--log-format=json"]);
    assertEquals(code, 1);
    const messages = stderr.trimEnd().split("\n").map((line) => JSON.parse(line).message);
    assertEquals(messages, [
      "Line 3 is rejected: it has no password",
      "Line 4 is rejected: it has no id",
    ]);
    const missing = await runHere("hash.ts", ["no.csv", "--dry-run", "--log-format", "json"]);
    assertEquals(
      JSON.parse(missing.stderr).message,
      "Cannot read 'no.csv' as there is no such file",
    );
    const wrong = await runHere("hash.ts", [path, "--log-format", "json", "--cost", "3"]);
    assertEquals(wrong.code, 2);
    assertEquals(
      JSON.parse(wrong.stderr).message,
      "Cannot run this as --cost must be a whole number from 4 to 31, not '3'",
    );
  },
);
