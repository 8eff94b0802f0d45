import { assert, assertEquals, assertMatch } from "@std/assert";
import { openNats } from "../scripts/queue/connection.ts";
import { natsOptions } from "../scripts/queue/flags.ts";
import { queueTest } from "./_queue.ts";
import { workerTest } from "./_queue_worker.ts";
import { assertSaved, csv } from "./_users.ts";
import { NatsServer } from "./fixtures/nats_server.ts";

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
