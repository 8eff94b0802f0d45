import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { startEmbeddedServer } from "../scripts/database/embedded.ts";
import { account, hashTest } from "./_hash.ts";
import { ACCOUNT, needing, UNIX } from "./_needs.ts";
import { assertSaved, countOf, csv, isLockedOut, lockTable, range } from "./_users.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder, withSql } from "./fixtures/embedded_helpers.ts";
import { HashRun, until } from "./fixtures/hash_run.ts";
import { hash, onOneWorker } from "./fixtures/script_here.ts";

hashTest("does what is missing after it was killed, each row once", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  const ids = range(500);
  const path = await file("users.csv", csv(ids));
  for (let i = 0; i < 4; i++) {
    await using run = new HashRun([path, ...flags]);
    const enough = Math.min(ids.length, await countOf(sql) + Math.ceil(Math.random() * 90));
    await until(async () => await countOf(sql) >= enough || !await run.running);
    run.kill("SIGKILL");
    await run.output();
  }
  const before = await countOf(sql);
  const { code, stdout } = await hash([path, ...flags]);
  assertEquals(code, 0);
  const { read, saved = 0, skipped, hashed = 0 } = account(stdout);
  assertEquals([read, saved + skipped, hashed], [500, 500, saved]);
  assert(skipped >= before);
  await assertSaved(sql, ids, 50);
});

hashTest("stops reading at Ctrl-C and saves what is hashed", async ({ sql, table, flags }) => {
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(onOneWorker(["-", "--format", "csv", ...flags]));
  await using lock = await lockTable(sql);
  await run.write(csv(range(5)));
  await until(() => isLockedOut(sql, table));
  run.kill("SIGINT");
  await lock.release();
  const { code, stdout, stderr } = await run.output();
  assertEquals([code, stderr], [130, ""]);
  assertEquals(JSON.parse(stdout).complete, false);
  const { read, saved, hashed, unfinished = 0 } = account(stdout);
  assertEquals([read, saved + unfinished, hashed], [5, 5, saved]);
  assert(saved > 0);
  assertEquals(await countOf(sql), saved);
});

hashTest("does not blame an input at Ctrl-C that has not begun", async ({ sql, flags }) => {
  await using run = new HashRun(["-", "--format", "csv", ...flags, "--create-table"]);
  await until(async () => (await sql`select to_regclass('users') as found`)[0].found !== null);
  run.kill("SIGINT");
  const { code, stderr } = await run.output();
  assertEquals([code, stderr], [130, ""]);
});

hashTest("ends at once at the second Ctrl-C", async ({ sql, table, flags }) => {
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(onOneWorker(["-", "--format", "csv", ...flags]));
  await using _ = await lockTable(sql);
  await run.write(csv(range(5)));
  await until(() => isLockedOut(sql, table));
  run.kill("SIGINT");
  // A signal that follows too closely is the same one to the operating system.
  const again = setInterval(() => {
    try {
      run.kill("SIGINT");
    } catch {
      // It has ended.
    }
  }, 50);
  const { code, stdout } = await run.output().finally(() => clearInterval(again));
  assertEquals([code, stdout], [130, ""]);
});

hashTest("goes on when connections break, and knows which rows are its own", async (context) => {
  const { sql, file, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  const ids = range(800);
  const path = await file("users.csv", csv(ids));
  await using run = new HashRun([path, ...flags]);
  for (let enough = 50; enough < ids.length && await run.running; enough += 75) {
    await until(async () => await countOf(sql) >= enough || !await run.running);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = current_schema()`;
  }
  const { code, stdout } = await run.output();
  assertEquals(code, 0);
  assertEquals(account(stdout), { read: 800, saved: 800, hashed: 800 });
  await assertSaved(sql, ids);
});

hashTest("reports rows as unknown whose connection broke before the answer", async (context) => {
  const { sql, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(
    onOneWorker(["-", "--format", "csv", "--on-conflict", "error", ...flags]),
  );
  // A lock on the table would hold up the statement before its rows have left.
  const other = await sql.reserve();
  await other`begin`;
  await other`insert into users values (3, 'of another, who changes his mind')`;
  await run.write(csv(range(5)));
  await until(async () => {
    const ended = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = current_schema() and wait_event_type = 'Lock'`;
    return ended.length > 0;
  });
  await other`rollback`;
  other.release();
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

hashTest("ends with a sentence and an honest account when the table vanishes", async (context) => {
  const { sql, flags } = context;
  await sql`create table users (id int primary key, hash text)`;
  await using run = new HashRun(onOneWorker(["-", "--format", "csv", ...flags]));
  await run.write(csv(range(100)));
  await until(async () => await countOf(sql) === 100);
  await sql`drop table users`;
  await run.write("101,Secret\n102,Secret\n");
  const { code, stdout, stderr } = await run.output();
  assertEquals(code, 1);
  assertEquals(account(stdout), { read: 102, saved: 100, unfinished: 2, hashed: 100 });
  assertMatch(
    stderr,
    /^Cannot use the database at .* as there is no such table \(42P01\): create the table, or correct its name\n$/,
  );
});

waitingTest({
  ...needing("hash.ts ends when the server dies, and a second run does the rest", ACCOUNT, UNIX),
  fn: () =>
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
          "1",
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
        assertMatch(stderr, /Cannot use the database at 127.0.0.1:\d+\/postgres as /);
        assert(!stderr.includes(new URL(server.url).password));
      }
      const { code, stdout } = await hash([path, "--data-dir", dataDir, ...flags]);
      assertEquals(code, 0);
      const { read, saved: rest = 0, skipped } = account(stdout);
      assertEquals([read, rest + skipped], [2_000, 2_000]);
      assert(skipped >= saved);
      await using server = await startEmbeddedServer({ dataDir });
      await withSql(server.url, (sql) => assertSaved(sql, ids));
    }),
});
