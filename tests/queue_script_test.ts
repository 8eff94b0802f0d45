import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { jetstream } from "@nats-io/jetstream";
import { openNats } from "../scripts/queue/connection.ts";
import { account, contentOf, type Script } from "./_queue.ts";
import { workerTest } from "./_queue_worker.ts";
import {
  assertSaved,
  countOf,
  csv,
  endLockedOut,
  isLockedOut,
  lockTable,
  range,
} from "./_users.ts";
import { SECRET, until } from "./fixtures/hash_run.ts";

/**
 * What a worker had in hand that was killed is given to another one after these seconds. Who waits for
 * that is a process of its own, as others of this one would wait as well.
 */
const SOON = ["--ack-wait", "5"];

// These two wait the longest, and so begin first.

workerTest(
  "worker.ts, three of them, lose and double nothing whatever happens",
  async (context) => {
    const { sql, nats, file, start, run, status } = context;
    const ids = range(1_200);
    await run("enqueue.ts", [await file("users.csv", csv(ids))]);
    await using killed = start("worker.ts", SOON);
    await using stopped = start("worker.ts", SOON);
    await using left = start("worker.ts", SOON);
    await until(async () => await countOf(sql) > 200);
    killed.kill("SIGKILL");
    await until(async () => await countOf(sql) > 500);
    stopped.kill("SIGTERM");
    assertEquals((await stopped.output()).code, 0);
    await until(async () => await countOf(sql) > 800);
    await nats.kill();
    await nats.run();
    await until(async () => {
      const { waiting, inWork } = await status();
      return waiting + inWork === 0;
    });
    left.kill("SIGTERM");
    assertEquals((await left.output()).code, 0);
    assertEquals(await status(), { waiting: 0, inWork: 0, done: 1_200, dead: 0 });
    await assertSaved(sql, ids, 50);
    assert(!(await contentOf(nats.folder)).includes(SECRET));
  },
);

workerTest("worker.ts makes a dead letter of a job that workers have died of", async (context) => {
  const { sql, file, start, run, status, table } = context;
  await run("enqueue.ts", [await file("users.csv", csv([1]))]);
  await using lock = await lockTable(sql);
  for (let i = 0; i < 2; i++) {
    await using worker = start("worker.ts", ["--max-deliveries", "2", ...SOON]);
    await until(() => isLockedOut(sql, table));
    worker.kill("SIGKILL");
    await worker.output();
    await endLockedOut(sql, table);
    // Or the next worker would be taken for this one.
    await until(async () => !await isLockedOut(sql, table));
  }
  await lock.release();
  await using last = start("worker.ts", ["--max-deliveries", "2", "--until-empty", ...SOON]);
  const output = await last.output();
  assertEquals(account(output), { dead: 1 });
  assertMatch(output.stderr, /is dead: workers have taken it 2 times, and have not finished it/);
  assertEquals(await status(), { waiting: 0, inWork: 0, done: 0, dead: 1 });
});

workerTest("enqueue.ts and worker.ts bring every row into the table, once", async (context) => {
  const { sql, file, run, status } = context;
  const path = await file("users.csv", csv(range(300)));
  const enqueued = await run("enqueue.ts", [path]);
  assertEquals([enqueued.code, enqueued.stderr], [0, ""]);
  assertEquals(account(enqueued), { read: 300, published: 300 });
  const told = await run("status.ts");
  const counts = { waiting: 300, inWork: 0, done: 0, dead: 0 };
  assertEquals([told.code, told.stderr], [0, ""]);
  assertEquals(JSON.parse(told.stdout), { version: 1, ...counts });
  assertEquals(await status(), counts);
  const again = await run("enqueue.ts", [path]);
  assertEquals([again.code, account(again)], [0, { read: 300, duplicate: 300 }]);
  const worked = await run("worker.ts", ["--until-empty"]);
  assertEquals([worked.code, account(worked)], [0, { saved: 300 }]);
  assertEquals(await status(), { waiting: 0, inWork: 0, done: 300, dead: 0 });
  await assertSaved(sql, range(300));
});

workerTest(
  "worker.ts acknowledges a job once its row is committed, and not before",
  async (context) => {
    const { sql, file, run, status, table } = context;
    await run("enqueue.ts", [await file("users.csv", csv(range(5)))]);
    await using lock = await lockTable(sql);
    const worker = run("worker.ts", ["--until-empty"]);
    await until(() => isLockedOut(sql, table));
    assertEquals(await status(), { waiting: 0, inWork: 5, done: 0, dead: 0 });
    await lock.release();
    assertEquals(account(await worker), { saved: 5 });
    assertEquals(await status(), { waiting: 0, inWork: 0, done: 5, dead: 0 });
  },
);

workerTest("worker.ts --work saves what a function returns for whole rows", async (context) => {
  const { sql, file, run, status, table } = context;
  await sql`create table scores (id numeric primary key, length int, note text)`;
  const work = await file(
    "length.mjs",
    `export default ({ id, text }) => {
      if (text === "bad") throw new Error("a bad one");
      return text === "" ? null : { length: text.length, note: typeof id };
    };`,
  );
  const texts = ["one", "three", "bad", ""];
  const rows = texts.map((text, i) => JSON.stringify({ id: i, text }));
  const path = await file(
    "texts.ndjson",
    `${rows.join("\n")}\n{"id":12345678901234567890,"text":"x"}\n`,
  );
  const enqueued = await run("enqueue.ts", [path, "--rows"]);
  assertEquals([enqueued.code, account(enqueued)], [0, { read: 5, published: 5 }]);
  const hashing = await run("worker.ts", ["--until-empty"]);
  assertEquals(hashing.code, 1);
  assertMatch(
    hashing.stderr,
    /^Cannot use the stream 'burst' as .* function of yours: use --work,/,
  );
  const flags = ["--until-empty", "--cost", "12", "--table", table.replace("users", "scores")];
  const worked = await run("worker.ts", [...flags, "--work", work]);
  assertEquals(worked.code, 1, worked.stderr);
  assertEquals(account(worked), { saved: 3, skipped: 1, dead: 1 });
  assertMatch(worked.stderr, /is dead: .* threw Error: a bad one\n/);
  assertEquals(await status(), { waiting: 0, inWork: 0, done: 4, dead: 1 });
  assertEquals(
    (await sql`select * from scores order by id`).map((row) => Object.values(row)),
    [["0", 3, "number"], ["1", 5, "number"], ["12345678901234567890", 1, "bigint"]],
  );
});

workerTest("worker.ts skips what is in the table already, unhashed", async (context) => {
  const { sql, file, run, status } = context;
  await sql`insert into users values (1, 'kept'), (2, 'kept')`;
  await run("enqueue.ts", [await file("users.csv", csv(["01", 2, 3]))]);
  const output = await run("worker.ts", ["--until-empty"]);
  assertEquals(account(output), { saved: 1, skipped: 2 });
  assertEquals((await status()).done, 3);
  assertEquals((await sql`select from users where hash = 'kept'`).length, 2);
});

workerTest(
  "worker.ts makes a dead letter of what can never succeed, with the reason",
  async (context) => {
    const { sql, nats, folder, file, run, status } = context;
    await sql`alter table users add column n int not null check (n > 0)`;
    const rows = ["1,Secret-1,1", "x,Secret,1", "2,Secret,0", "3,Secret,x", "4,Secret-4,4"];
    const path = await file("users.csv", `id,password,n\n${rows.join("\n")}\n`);
    assertEquals((await run("enqueue.ts", [path, "--columns", "n"])).code, 0);
    await nats.publish("burst.jobs", { "Nats-Msg-Id": "bad" }, "not sealed at all");
    await nats.publish("burst.jobs", { "Nats-Msg-Id": "key", "Burst-Key": "other" }, "\x01x");
    await nats.publish("burst.jobs", {}, "");
    const output = await run("worker.ts", ["--until-empty", "--columns", "n"]);
    assertEquals([output.code, account(output)], [1, { saved: 2, dead: 6 }], output.stderr);
    assertMatch(
      output.stderr,
      /\nCannot do all jobs: 6 can never succeed, and went to the stream 'burst-dead' with the reason\n$/,
    );
    assertEquals(await status(), { waiting: 0, inWork: 0, done: 2, dead: 6 });
    assertEquals((await sql`select id from users order by id`).map(({ id }) => id), [1, 4]);
    const reasons = output.stderr.split("\n").filter((line) => line.includes(" is dead: "));
    assertEquals(reasons.length, 6, output.stderr);
    assertMatch(output.stderr, /Job bad is dead: it cannot be opened: it is damaged/);
    assertMatch(output.stderr, /Job key is dead: it is sealed with another key/);
    assertMatch(output.stderr, /is dead: .*check constraint/);
    await nats.kill();
    const content = await contentOf(folder).then(async (own) => own + await contentOf(nats.folder));
    assertStringIncludes(content, "Burst-Reason: it cannot be opened: it is damaged");
  },
);

workerTest(
  "worker.ts and enqueue.ts refuse another key, and make no dead letters",
  async (context) => {
    const { file, run, status } = context;
    const path = await file("users.csv", csv(range(10)));
    await run("enqueue.ts", [path]);
    const other = await file("other", "cd".repeat(32));
    for (const [script, ...args] of [["worker.ts"], ["enqueue.ts", path]] as const) {
      const { code, stdout, stderr } = await run(script, [...args, "--key-file", other]);
      assertEquals([code, stdout], [1, ""]);
      assertMatch(
        stderr,
        /^Cannot use this key as the jobs in the stream 'burst' are sealed with another one: check --key-file.*\n$/,
      );
    }
    assertEquals(await status(), { waiting: 10, inWork: 0, done: 0, dead: 0 });
  },
);

workerTest("worker.ts waits for a database that is down, and blames no job", async (context) => {
  const { sql, file, start, run, status, table } = context;
  await run("enqueue.ts", [await file("users.csv", csv(range(20)))]);
  await using lock = await lockTable(sql);
  await using worker = start("worker.ts", ["--until-empty", "--max-deliveries", "2"]);
  for (let i = 0; i < 4; i++) {
    // More often than a job may be delivered.
    await until(() => endLockedOut(sql, table));
  }
  await lock.release();
  const output = await worker.output();
  assertEquals([output.code, account(output)], [0, { saved: 20 }]);
  assertEquals((await status()).dead, 0);
  await assertSaved(sql, range(20));
});

workerTest(
  "worker.ts gives back at SIGTERM what is not hashed, and exits with 0",
  async (context) => {
    const { sql, file, start, run, status } = context;
    await run("enqueue.ts", [await file("users.csv", csv(range(300)))]);
    await using worker = start("worker.ts", ["--prefetch", "50", ...SOON]);
    await until(async () => await countOf(sql) > 0);
    worker.kill("SIGTERM");
    const output = await worker.output();
    const { saved, returned = 0 } = account(output);
    assertEquals(output.code, 0);
    assertEquals(await countOf(sql), saved);
    // What was acknowledged, NATS removes in its own time.
    await until(async () => (await status()).done === saved);
    const { waiting, inWork, dead } = await status();
    assertEquals([waiting + inWork, dead], [300 - saved, 0]);
    assert(returned <= 50);
    const rest = await run("worker.ts", ["--until-empty", ...SOON]);
    assertEquals({ saved: 0, ...account(rest) }, { saved: 300 - saved });
    await assertSaved(sql, range(300));
  },
);

workerTest("worker.ts ends at SIGTERM where NATS is down, and loses nothing", async (context) => {
  const { sql, nats, file, start, run, status } = context;
  await run("enqueue.ts", [await file("users.csv", csv(range(300)))]);
  await using worker = start("worker.ts", ["--prefetch", "100", ...SOON]);
  await until(async () => await countOf(sql) > 0);
  await nats.kill();
  worker.kill("SIGTERM");
  const { code } = await worker.output();
  assertEquals(code, 0);
  await nats.run();
  await using rest = start("worker.ts", ["--until-empty", ...SOON]);
  assertEquals((await rest.output()).code, 0);
  assertEquals(await status(), { waiting: 0, inWork: 0, done: 300, dead: 0 });
  await assertSaved(sql, range(300));
});

workerTest("worker.ts does a job that others have given back at every restart", async (context) => {
  const { sql, nats, file, run } = context;
  await run("enqueue.ts", [await file("users.csv", csv(range(20)))]);
  // Makes the consumer, and leaves at once.
  const refused = await run("worker.ts", ["--columns", "none", "--until-empty"]);
  assertEquals(refused.code, 1);
  await using connection = await openNats({ nats: nats.url });
  const consumer = await jetstream(connection.connection).consumers.get("burst", "workers");
  for (let i = 0; i < 20; i++) {
    const messages = await consumer.fetch({ max_messages: 20 });
    for await (const message of messages) message.nak();
  }
  assertEquals(account(await run("worker.ts", ["--until-empty"])), { saved: 20 });
  await assertSaved(sql, range(20));
});

workerTest(
  "worker.ts makes no dead letter of a job whose row is there, however often it was taken",
  async (context) => {
    const { sql, nats, file, run, status } = context;
    await run("enqueue.ts", [await file("users.csv", csv([1]))]);
    await run("worker.ts", ["--columns", "none", "--until-empty"]);
    await sql`insert into users values (1, 'saved, and the acknowledgement was lost')`;
    await using connection = await openNats({ nats: nats.url });
    const consumer = await jetstream(connection.connection).consumers.get("burst", "workers");
    for (let i = 0; i < 2; i++) (await consumer.next())!.nak();
    const output = await run("worker.ts", ["--max-deliveries", "1", "--until-empty"]);
    assertEquals(account(output), { skipped: 1 });
    assertEquals(await status(), { waiting: 0, inWork: 0, done: 1, dead: 0 });
  },
);

workerTest(
  "enqueue.ts, worker.ts and status.ts refuse what cannot work, with one sentence",
  async (context) => {
    const { nats, file, run } = context;
    const path = await file("users.csv", csv([1]));
    const bad = await file("bad", "hunter2");
    const cases: [script: Script, args: string[], code: number, sentence: RegExp][] = [
      ["enqueue.ts", [], 2, /^Cannot run this without an INPUT: see --help\n$/],
      ["enqueue.ts", [path, "--columns", "password"], 2, /would be saved in plain text\n$/],
      [
        "enqueue.ts",
        [path, "--stream", "a.b"],
        2,
        /^Cannot run this as --stream must consist of letters/,
      ],
      ["enqueue.ts", [path, "--key-file", bad], 1, /must be 32 bytes in base64 or hexadecimal/],
      [
        "enqueue.ts",
        [path, "--nats", "http://x"],
        2,
        /^Cannot use --nats as it must be an address like/,
      ],
      [
        "status.ts",
        ["--nats", "nats://u:Secret@127.0.0.1:9"],
        1,
        /^Cannot use NATS at 127\.0\.0\.1:9 as nothing listens there.*\n$/,
      ],
      [
        "status.ts",
        ["--stream", "other"],
        1,
        /^Cannot find the stream 'other': check --stream\n$/,
      ],
      ["status.ts", ["--tls-ca", path], 1, /^Cannot use NATS at 127\.0\.0\.1:\d+ as .*\n$/],
      ["worker.ts", ["--columns", "id"], 2, /must name different columns\n$/],
      ["worker.ts", ["--table", "no_such_table"], 1, /use --create-table, or check --table\n$/],
    ];
    for (const [script, args, expected, sentence] of cases) {
      const { code, stdout, stderr } = await run(script, args);
      assertEquals([code, stdout], [expected, ""], `${script} ${args.join(" ")} ${stderr}`);
      assertMatch(stderr, sentence);
    }
    assert(nats.port > 0);
  },
);
