import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  AckPolicy,
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { join } from "node:path";
import { openNats } from "../scripts/queue/connection.ts";
import { prepareTable } from "../scripts/table/table.ts";
import { databaseTest, databaseUrl } from "./_database.ts";
import type { Need } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { account, queueTest } from "./_queue.ts";
import { workerTest } from "./_queue_worker.ts";
import { assertSaved, csv, range } from "./_users.ts";
import { FaultProxy } from "./fixtures/fault_proxy.ts";
import { until } from "./fixtures/hash_run.ts";
import { NatsServer } from "./fixtures/nats_server.ts";
import { succeeds } from "./fixtures/programs.ts";

/** A server that takes connections, and never says a word. */
function silentServer() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    connections,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
      for (const connection of connections) connection.close();
    },
  };
}

const OPENSSL: Need = { name: "openssl", met: allowed && await succeeds("openssl", ["version"]) };

/**
 * Makes a certificate for 127.0.0.1 (the client checks addresses as localhost), one for a client, and
 * who vouches for both.
 */
async function certify(folder: string): Promise<readonly string[]> {
  const openssl = async (...args: string[]) =>
    assert(await succeeds("openssl", args, { cwd: folder }), `openssl ${args[0]} has failed`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await Deno.writeTextFile(
    join(folder, "ext"),
    "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n",
  );
  await openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca", "-subj", "/CN=ca");
  for (const name of ["server", "client"]) {
    await openssl("req", ...key, "-keyout", `${name}.key`, "-out", "csr", "-subj", `/CN=${name}`);
    await openssl(
      ...["x509", "-req", "-in", "csr", "-CA", "ca", "-CAkey", "ca.key", "-CAcreateserial"],
      ...["-extfile", "ext", "-out", name],
    );
  }
  return ["--tls", "--tlscert", join(folder, "server"), "--tlskey", join(folder, "server.key")];
}

// These two wait for ten seconds, and so begin first.

queueTest("status.ts ends where NATS is silent", async ({ start }) => {
  await using silent = silentServer();
  await using status = start("status.ts", ["--nats", `nats://127.0.0.1:${silent.port}`]);
  const { code, stderr } = await status.output();
  assertMatch(stderr, /^Cannot use NATS at .* as it does not answer: .*\n$/);
  assertEquals(code, 1);
});

queueTest(
  "openNats() shows a server that wants one a certificate",
  async ({ folder, file, run, start }) => {
    const tls = await certify(folder);
    const verify = ["--tlsverify", "--tlscacert", join(folder, "ca")];
    await using nats = await NatsServer.start([...tls, ...verify]);
    const path = await file("users.csv", csv([1]));
    const ca = ["--nats", nats.url, "--tls-ca", join(folder, "ca")];
    const own = ["--tls-cert", join(folder, "client"), "--tls-key", join(folder, "client.key")];
    // What the client leaves open there ends a process of its own.
    await using without = start("status.ts", ca);
    const cases: [flags: string[], code: number, sentence: RegExp][] = [
      [[...ca, ...own.slice(0, 2)], 2, /only one of --tls-cert and --tls-key: name both\n$/],
      [[...ca, ...own.slice(0, 3), path], 1, /^Cannot use --tls-cert and --tls-key as .*\n$/],
      [[...ca, ...own], 0, /^$/],
    ];
    for (const [flags, code, sentence] of cases) {
      const output = await run("enqueue.ts", [path, ...flags]);
      assertMatch(output.stderr, sentence);
      assertEquals(output.code, code);
    }
    const { code, stderr } = await without.output();
    assertMatch(stderr, /^Cannot use NATS at .*certificate of this client.* see --tls-cert.*\n$/);
    assertEquals(code, 1);
  },
  OPENSSL,
);

/** What the administrator of NATS does. */
async function manage(url: string, fn: (manager: JetStreamManager) => Promise<unknown>) {
  await using nats = await openNats({ nats: url });
  await fn(await jetstreamManager(nats.connection));
}

/** A stream as somebody makes it by hand. */
const byHand = (name: string, config: Partial<StreamConfig> = {}) => ({
  name,
  subjects: [`burst.${name === "burst" ? "jobs" : "dead"}`],
  retention: name === "burst" ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
  ...config,
});

workerTest("worker.ts makes a dead letter of a job as large as NATS takes", async (context) => {
  const { sql, nats, file, run, status } = context;
  await run("enqueue.ts", [await file("users.csv", csv([1]))]);
  const largest = 2 ** 20 - "NATS/1.0\r\n\r\n".length;
  for (let i = 0; i < 2; i++) await nats.publish("burst.jobs", {}, "x".repeat(largest));
  await run("enqueue.ts", [await file("more.csv", csv([2]))]);
  const output = await run("worker.ts", ["--prefetch", "2", "--until-empty"]);
  assertEquals([output.code, account(output)], [1, { saved: 2, dead: 2 }], output.stderr);
  assertEquals(await status(), { waiting: 0, inWork: 0, done: 2, dead: 2 });
  await manage(nats.url, async ({ streams }) => {
    const letter = await streams.getMessage("burst-dead", { seq: 1 });
    assertEquals(letter!.header.get("Burst-Size"), `${largest}`);
    assertMatch(letter!.header.get("Burst-Reason"), /it is damaged/);
  });
  await assertSaved(sql, [1, 2]);
});

workerTest(
  "worker.ts goes on where there is no room for dead letters, and says so",
  async (context) => {
    const { sql, nats, file, run, status } = context;
    await run("enqueue.ts", [await file("users.csv", csv([1]))]);
    await manage(nats.url, (manager) => manager.streams.update("burst-dead", { max_msgs: 1 }));
    for (let i = 0; i < 3; i++) await nats.publish("burst.jobs", {}, "it cannot be opened");
    await run("enqueue.ts", [await file("more.csv", csv([2, 3]))]);
    const output = await run("worker.ts", ["--prefetch", "2", "--until-empty"]);
    const { saved, dead } = account(output);
    assertEquals([output.code, saved, dead], [1, 3, 1], output.stderr);
    // One sentence for all of them, and one at the end.
    assertEquals(output.stderr.match(/ stays in the queue: .*its stream is full/g)?.length, 1);
    assertMatch(
      output.stderr,
      /\nCannot do all jobs: 2 stay in the queue, one as it is dead .*\n$/,
    );
    assertEquals(await status(), { waiting: 0, inWork: 2, done: 3, dead: 1 });
    await assertSaved(sql, range(3));
  },
);

queueTest("enqueue.ts refuses a stream that would lose jobs in silence", async (context) => {
  const { nats, file, run } = context;
  const path = await file("users.csv", csv(range(3)));
  const cases: [name: string, config: Partial<StreamConfig>, why: RegExp][] = [
    [
      "burst",
      { max_bytes: 10_000 },
      /deletes old messages when it is full: set its discard to 'new'/,
    ],
    ["burst", { max_msgs: 2 }, /'burst' .*set its discard to 'new'/],
    ["burst", { max_age: nanos(60_000) }, /deletes jobs after a time: set its max_age to 0/],
    ["burst", { max_msgs_per_subject: 2 }, /deletes old messages when it is full/],
    [
      "burst",
      { max_msgs_per_subject: 2, discard: DiscardPolicy.New },
      /set its max_msgs_per_subject to -1/,
    ],
    ["burst", { no_ack: true }, /does not tell what it has stored/],
    ["burst", { subjects: ["other"] }, /does not take the subject 'burst.jobs'/],
    ["burst", { retention: RetentionPolicy.Limits }, /its retention is 'limits'/],
    ["burst-dead", { max_msgs: 2 }, /'burst-dead' .*set its discard to 'new'/],
  ];
  for (const [name, config, why] of cases) {
    await manage(nats.url, async ({ streams }) => {
      for await (const { config: { name } } of streams.list()) await streams.delete(name);
      for (const one of ["burst", "burst-dead"]) {
        await streams.add(byHand(one, one === name ? config : {}));
      }
    });
    const { code, stdout, stderr } = await run("enqueue.ts", [path]);
    assertEquals([code, stdout], [1, ""], stderr);
    assertMatch(stderr, why);
    assertEquals((await run("enqueue.ts", [path, "--create-stream"])).stderr, stderr);
  }
});

queueTest("enqueue.ts tells exactly what a stream that is full has taken", async (context) => {
  const { nats, file, run, status } = context;
  await manage(nats.url, async ({ streams }) => {
    await streams.add(byHand("burst", { max_msgs: 99, discard: DiscardPolicy.New }));
    await streams.add(byHand("burst-dead"));
  });
  const output = await run("enqueue.ts", [await file("users.csv", csv(range(200)))]);
  assertEquals(account(output), { read: 200, published: 99, unfinished: 101 });
  assertMatch(output.stderr, /^Cannot use NATS at .* as its stream is full: .*\n$/);
  assertEquals([output.code, (await status()).waiting], [1, 99]);
});

queueTest("enqueue.ts ends where its stream is deleted meanwhile", async (context) => {
  const { nats, start, status } = context;
  await using enqueue = start("enqueue.ts", ["-", "--format", "csv"]);
  await enqueue.write(csv(range(10)));
  await until(async () => (await status().catch(() => ({ waiting: 0 }))).waiting === 10);
  await manage(nats.url, ({ streams }) => streams.delete("burst"));
  await enqueue.write("11,Secret\n");
  const output = await enqueue.output();
  assertEquals([output.code, account(output).unfinished], [1, 1]);
  assertMatch(output.stderr, /^Cannot find the stream 'burst': .*\n$/);
});

workerTest("worker.ts and enqueue.ts start whatever somebody has published", async (context) => {
  const { sql, nats, file, run, status } = context;
  await manage(nats.url, async ({ streams }) => {
    for (const name of ["burst", "burst-dead"]) await streams.add(byHand(name));
  });
  const forged = { "Nats-Msg-Id": "\x1b[2J\x1b]0;gone\x07forged", "Burst-Key": "\x1b[31mother" };
  await nats.publish("burst.jobs", forged, "\x01forged");
  assertEquals((await run("enqueue.ts", [await file("users.csv", csv([1, 2]))])).code, 0);
  await nats.publish("burst.jobs", { ...forged, "Nats-Msg-Id": "\x9bsecond\u202e" }, "\x01forged");
  const output = await run("worker.ts", ["--until-empty"]);
  assertEquals(account(output), { saved: 2, dead: 2 }, output.stderr);
  assertMatch(output.stderr, /second.* is dead: it is sealed with another key/);
  // Nothing else tells that the key is right: so the job is not to blame, nor is the worker to end.
  await nats.publish("burst.jobs", { ...forged, "Nats-Msg-Id": "\x1bthird" }, "\x01forged");
  const alone = await run("worker.ts", ["--until-empty"]);
  assertEquals([alone.code, account(alone)], [1, { returned: 1 }], alone.stderr);
  assertMatch(alone.stderr, /third stays in the queue: it is sealed with another key/);
  assertEquals((await status()).dead, 2);
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(alone.stderr + output.stderr));
  await assertSaved(sql, [1, 2]);
});

queueTest("enqueue.ts takes a new key once nothing is sealed with the old one", async (context) => {
  const { nats, file, run } = context;
  const other = ["--key-file", await file("other", "cd".repeat(32))];
  const path = await file("users.csv", csv([1]));
  await run("enqueue.ts", [path]);
  assertMatch((await run("enqueue.ts", [path, ...other])).stderr, /sealed with another one/);
  await manage(nats.url, ({ streams }) => streams.purge("burst"));
  assertEquals((await run("enqueue.ts", [path, ...other])).code, 0);
  assertMatch((await run("enqueue.ts", [path])).stderr, /sealed with another one/);
});

for (const what of ["consumer", "stream"] as const) {
  workerTest(`worker.ts ends where its ${what} is deleted`, async (context) => {
    const { nats, file, start, run, status } = context;
    await run("enqueue.ts", [await file("users.csv", csv(range(3)))]);
    await using worker = start("worker.ts");
    await until(async () => (await status()).done === 3);
    await manage(
      nats.url,
      ({ streams, consumers }) =>
        what === "stream" ? streams.delete("burst") : consumers.delete("burst", "workers"),
    );
    const { code, stderr } = await worker.output();
    assertMatch(stderr, /\nCannot go on as the stream 'burst' or its consumer was deleted: .*\n$/);
    assertEquals(code, 1);
  });
}

workerTest("worker.ts refuses a consumer of its name that pushes", async (context) => {
  const { nats, file, run } = context;
  await run("enqueue.ts", [await file("users.csv", csv([1]))]);
  const durable_name = "workers";
  const config = { durable_name, ack_policy: AckPolicy.Explicit, deliver_subject: "elsewhere" };
  await manage(nats.url, ({ consumers }) => consumers.add("burst", config));
  const { code, stdout, stderr } = await run("worker.ts", ["--until-empty"]);
  assertEquals([code, stdout], [1, ""]);
  assertEquals(
    stderr,
    "Cannot use the consumer 'workers' of the stream 'burst' as it pushes jobs, and workers ask for theirs: delete it, or make it again under another name\n",
  );
});

workerTest("worker.ts ends where it may not acknowledge jobs, or take them", async (context) => {
  const { file, run } = context;
  const user = (name: string, deny: string) =>
    `{user: ${name}, password: sesame, permissions: {publish: {deny: ["${deny}"]}}}`;
  const config = `authorization { users = [
    {user: all, password: sesame}
    ${user("acks", "$JS.ACK.>")}
    ${user("takes", "$JS.API.CONSUMER.MSG.NEXT.>")}
    ${user("publishes", "burst.jobs")}
    ${user("buries", "burst.dead")}
  ] }`;
  await using nats = await NatsServer.start(["-c", await file("nats.conf", config)]);
  const as = (name: string) => ["--nats", `nats://${name}:sesame@127.0.0.1:${nats.port}`];
  const path = await file("users.csv", csv(range(3)));
  const refused = await run("enqueue.ts", [path, ...as("publishes")]);
  assertMatch(refused.stderr, /^Cannot use NATS at .* may not publish to 'burst.jobs': .*\n$/);
  assertEquals([refused.code, account(refused)], [1, { read: 3, unfinished: 3 }]);
  assertEquals((await run("enqueue.ts", [path, ...as("all")])).code, 0);
  for (const [name, subject] of [["takes", "$JS.API.CONSUMER.MSG"], ["acks", "$JS.ACK."]]) {
    const { code, stderr } = await run("worker.ts", as(name));
    assertStringIncludes(stderr, `as this user may not publish to '${subject}`);
    assertEquals(code, 1);
  }
});

databaseTest(
  "prepareTable() creates a table that others create at the same time",
  async (sql, schema) => {
    for (let i = 0; i < 10; i++) {
      const target = { table: `${schema}.users${i}`, id: "id", hash: "hash", carried: [] };
      const creating = { create: true, numbered: false };
      await Promise.all(range(4).map(() => prepareTable(sql, target, creating)));
    }
  },
);

workerTest("worker.ts ends at SIGTERM while it waits for NATS", async ({ start }) => {
  await using silent = silentServer();
  await using worker = start("worker.ts", ["--nats", `nats://127.0.0.1:${silent.port}`]);
  await until(() => Promise.resolve(silent.connections.length > 0));
  worker.kill("SIGTERM");
  const { code, stdout, stderr } = await worker.output();
  assertEquals([code, stdout, stderr], [0, "", ""]);
});

workerTest("worker.ts ends at SIGTERM where its database is frozen", async (context) => {
  const { sql, file, start, run, status } = context;
  const { host: [host], port: [port] } = sql.options;
  await using proxy = await FaultProxy.start(host, port);
  const url = new URL(databaseUrl());
  url.host = `127.0.0.1:${proxy.port}`;
  await run("enqueue.ts", [await file("users.csv", csv([1]))]);
  await using worker = start("worker.ts", ["--database-url", url.href]);
  await until(async () => (await status()).done === 1);
  for (const connection of proxy.connections) connection.stall();
  worker.kill("SIGTERM");
  const { code, stdout } = await worker.output();
  assertEquals([code, JSON.parse(stdout).saved], [0, 1]);
});

workerTest("worker.ts and enqueue.ts speak TLS", async ({ sql, folder, file, run }) => {
  const tls = await certify(folder);
  await using nats = await NatsServer.start(["--user", "ann", "--pass", "sesame", ...tls]);
  const path = await file("users.csv", csv([1]));
  const address = (user: string) => ["--nats", `nats://${user}127.0.0.1:${nats.port}`];
  const ca = ["--tls-ca", join(folder, "ca")];
  const cases: [user: string, flags: string[], sentence: RegExp][] = [
    ["ann:sesame@", [], /certificate is not to be trusted: see --tls-ca\n$/],
    ["ann:Secret@", ca, /does not let this user in: check --creds\n$/],
  ];
  for (const [user, flags, sentence] of cases) {
    const { code, stdout, stderr } = await run("enqueue.ts", [path, ...address(user), ...flags]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, sentence);
  }
  const right = [...address("ann:sesame@"), ...ca];
  assertEquals((await run("enqueue.ts", [path, ...right])).code, 0);
  assertEquals((await run("worker.ts", ["--until-empty", ...right])).code, 0);
  await assertSaved(sql, [1]);
}, OPENSSL);
