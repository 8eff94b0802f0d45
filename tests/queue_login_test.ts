import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { openNats } from "../scripts/queue/connection.ts";
import { natsOptions } from "../scripts/queue/flags.ts";
import type { Need } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { queueTest } from "./_queue.ts";
import { workerTest } from "./_queue_worker.ts";
import { assertSaved, csv } from "./_users.ts";
import { NatsServer } from "./fixtures/nats_server.ts";
import { succeeds } from "./fixtures/programs.ts";

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

workerTest("worker.ts and enqueue.ts say who they are", async ({ sql, file, run }) => {
  await using nats = await NatsServer.start(["--user", "ann", "--pass", "sesame"]);
  const address = (user: string) => ["--nats", `nats://${user}127.0.0.1:${nats.port}`];
  const path = await file("users.csv", csv([1]));
  const cases: [user: string, flags: string[], sentence: RegExp][] = [
    ["", [], /does not let this user in: check --creds\n$/],
    ["ann:Secret@", [], /does not let this user in: check --creds\n$/],
    [
      "ann:sesame@",
      ["--creds", path],
      /^Cannot use the credentials in .* as there are none: .*\n$/,
    ],
  ];
  for (const [user, flags, sentence] of cases) {
    const { code, stdout, stderr } = await run("enqueue.ts", [path, ...address(user), ...flags]);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, sentence);
  }
  assertEquals((await run("enqueue.ts", [path, ...address("ann:sesame@")])).code, 0);
  assertEquals((await run("worker.ts", ["--until-empty", ...address("ann:sesame@")])).code, 0);
  await assertSaved(sql, [1]);
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

queueTest(
  "natsOptions() takes from the environment what the command line does not say",
  async () => {
    await using nats = await NatsServer.start(["--user", "ann", "--pass", "sesame"]);
    const variables: Record<string, string> = {
      NATS_URL: nats.url,
      NATS_USER: "ann",
      NATS_PASSWORD: "sesame",
      NATS_CREDS: "/nowhere",
    };
    const env = (name: string) => variables[name];
    assertEquals(natsOptions({ nats: "nats://other" }, env).nats, "nats://other");
    assertEquals(natsOptions({}, env).creds, "/nowhere");
    delete variables.NATS_CREDS;
    await using opened = await openNats(natsOptions({}, env));
    assert(!opened.connection.isClosed());
  },
);
