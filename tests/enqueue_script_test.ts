import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { runPipeline } from "../pipeline.ts";
import type { Job } from "../scripts/queue/job.ts";
import { JobKey } from "../scripts/queue/key.ts";
import { jobPublisher } from "../scripts/queue/publisher.ts";
import { account, contentOf, queueTest } from "./_queue.ts";
import { csv, password, range } from "./_users.ts";
import { SECRET, until } from "./fixtures/hash_run.ts";

queueTest("enqueue.ts leaves no password in the files and the log of NATS", async (context) => {
  const { nats, file, run } = context;
  const rows = range(50).map((id) => `${id},${password(id)},user${id}@example.com\n`);
  const path = await file("users.csv", `id,password,mail\n${rows.join("")}`);
  assertEquals((await run("enqueue.ts", [path, "--columns", "mail"])).code, 0);
  await nats.publish("burst.jobs", {}, "a job in plain text is found");
  // All that it has is on the disk.
  await nats.kill();
  const content = await contentOf(nats.folder);
  assertStringIncludes(content, "a job in plain text is found");
  assert(!content.includes(SECRET));
  assert(!content.includes("@example.com"));
});

queueTest("enqueue.ts rejects what cannot be hashed, by its line, and goes on", async (context) => {
  const { file, run } = context;
  const rows = ["1,Secret-1", `2,${SECRET.padEnd(73)}`, "3,", ",Secret", '4,"Secret', "5,Secret-5"];
  const path = await file("users.csv", `id,password\n${rows.join("\n")}`);
  const rejects = await file("rejects.ndjson", "");
  const output = await run("enqueue.ts", [path, "--rejects", rejects]);
  assertEquals([output.code, account(output)], [1, { read: 6, published: 2, rejected: 4 }]);
  const lines = (await Deno.readTextFile(rejects)).trim().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).line).sort(), [3, 4, 5, 6]);
});

queueTest("enqueue.ts publishes the rest when it is run again after a crash", async (context) => {
  const { file, start, run, status } = context;
  const path = await file("users.csv", csv(range(5_000)));
  await using first = start("enqueue.ts", [path]);
  await until(async () => (await run("status.ts")).code === 0);
  await until(async () => (await status()).waiting > 0 || !await first.running);
  first.kill("SIGKILL");
  const { waiting } = await status();
  const { code, stdout } = await run("enqueue.ts", [path]);
  const { published = 0, duplicate = 0 } = account({ stdout, stderr: "", code });
  assertEquals([code, published + duplicate], [0, 5_000]);
  assert(duplicate >= waiting, `${duplicate} of ${waiting}`);
  assertEquals((await status()).waiting, 5_000);
});

queueTest("enqueue.ts goes on when NATS is restarted, each job once", async (context) => {
  const { nats, start, status } = context;
  await using enqueue = start("enqueue.ts", ["-", "--format", "csv"]);
  await enqueue.write(csv(range(1_000)));
  await until(async () => (await status().catch(() => ({ waiting: 0 }))).waiting === 1_000);
  await nats.kill();
  await enqueue.write(range(1_000).map((id) => `${id + 1_000},${password(id)}\n`).join(""));
  await enqueue.endInput();
  await nats.run();
  const output = await enqueue.output();
  assertEquals(output.code, 0, output.stderr);
  assertEquals(account(output), { read: 2_000, published: 2_000 });
  assertEquals((await status()).waiting, 2_000);
});

queueTest("enqueue.ts stops at Ctrl-C with an exact account", async ({ start, status }) => {
  await using enqueue = start("enqueue.ts", ["-", "--format", "csv"]);
  await enqueue.write(csv(range(10)));
  await until(async () => (await status().catch(() => ({ waiting: 0 }))).waiting === 10);
  enqueue.kill("SIGINT");
  const output = await enqueue.output();
  assertEquals([output.code, account(output)], [130, { read: 10, published: 10 }]);
  assertEquals(JSON.parse(output.stdout).complete, false);
});

queueTest(
  "enqueue.ts ends at Ctrl-C where NATS is down, with an exact account",
  async (context) => {
    const { nats, start, status } = context;
    await using enqueue = start("enqueue.ts", ["-", "--format", "csv"]);
    const rows = (ids: readonly number[]) =>
      ids.map((id) => `${id},${password(id)},${"x".repeat(2_000)}\n`).join("");
    await enqueue.write(`id,password,other\n${rows(range(10))}`);
    await until(async () => (await status().catch(() => ({ waiting: 0 }))).waiting === 10);
    await nats.kill();
    // What has room in a pipe is not read yet, but this has not.
    await enqueue.write(`${rows(range(200).map((id) => id + 10))}300,Secret`);
    enqueue.kill("SIGINT");
    const output = await enqueue.output();
    const { read, published = 0, unknown = 0, unfinished = 0 } = account(output);
    assertEquals([output.code, output.stderr], [130, ""]);
    assert(read > 10, output.stdout);
    // Ten are stored. How many answers have come before NATS was killed is chance.
    assert(published <= 10 && published + unknown >= 10, output.stdout);
    assertEquals(read, published + unknown + unfinished);
  },
);

Deno.test("jobPublisher() counts each job by its own answer, whatever becomes of the others", async () => {
  const stop = new AbortController();
  const answers = { stored: 0, lost: 0 };
  const sink = jobPublisher({
    publish() {
      if (answers.stored < 6) {
        answers.stored++;
        return Promise.resolve({ stream: "burst", domain: "", seq: 1, duplicate: false });
      }
      if (++answers.lost === 4) stop.abort();
      return Promise.reject(new Error("timeout"));
    },
  }, {
    subject: "burst.jobs",
    key: await JobKey.from(new Uint8Array(32)),
    maxBytes: 2 ** 20,
    checkStream: () => Promise.resolve(),
  });
  const jobs = range(10).map((id): Job => ({ id: `${id}`, password: "", carried: {} }));
  const ends: string[] = [];
  const running = runPipeline(jobs, {
    compute: (job) => job,
    sink,
    gracePeriod: 0,
    signal: stop.signal,
    onEnd: (_job, { outcome }) => void ends.push(outcome),
  });
  await running.catch(() => {});
  assertEquals(ends.sort(), [...Array(6).fill("inserted"), ...Array(4).fill("unknown")]);
});
