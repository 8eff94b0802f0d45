import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type AddressInfo, createServer } from "node:net";
import type postgres from "postgres";
import { hashPassword, verifyPassword } from "../workload.ts";
import { DATABASE, databaseTest, databaseUrl, withSchema } from "./_database.ts";
import { ACCOUNT, needing, UNIX } from "./_needs.ts";
import { endLockedOut, isLockedOut, lockTable } from "./_users.ts";
import { waitingTest } from "./_waiting.ts";
import { assertHidden, SECRET, until } from "./fixtures/hash_run.ts";
import { MortalServer } from "./fixtures/mortal_server.ts";
import { runHere } from "./fixtures/script_here.ts";
import { ServeRun } from "./fixtures/serve_run.ts";

/** A test with a schema and a service whose table is in it. */
function test(
  name: string,
  fn: (context: { sql: postgres.Sql; service: ServeRun; table: string }) => Promise<void>,
  args: readonly string[] = [],
): void {
  const run = async (sql: postgres.Sql, schema: string) => {
    const table = `${schema}.users`;
    await using service = await ServeRun.start(["--table", table, "--create-table", ...args]);
    await fn({ sql, service, table });
  };
  waitingTest({ ...needing(`serve.ts ${name}`, DATABASE), fn: () => withSchema(run) });
}

const emailsIn = async (sql: postgres.Sql) =>
  (await sql`select email from users order by email`).map(({ email }) => email);

const HALF_A_BODY = new TextEncoder().encode(
  "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
);

// Those that wait for seconds begin first.

waitingTest({
  ...needing(
    "serve.ts stays up without its database, says so, and goes on when it is back",
    ACCOUNT,
    UNIX,
  ),
  async fn() {
    await using server = await MortalServer.start();
    await using service = await ServeRun.start(["--create-table"], server.url);
    assertEquals((await service.get("/healthz")).status, 200);
    assertEquals((await service.signUp("ann@example.com")).status, 201);
    await server.kill();
    assertEquals((await service.get("/healthz")).status, 503);
    for (const reply of [await service.signUp("b@c"), await service.logIn("ann@example.com")]) {
      assertEquals(reply.status, 503);
      assertMatch(reply.headers.get("retry-after")!, /^\d+$/);
    }
    assertEquals((await service.get("/metrics")).status, 200);
    await server.restart();
    await until(async () => (await service.get("/healthz")).status === 200);
    assertEquals((await service.signUp("d@e")).status, 201);
    assertEquals((await service.logIn("ann@example.com")).status, 204);
    await server.kill();
    assertEquals((await service.get("/healthz")).status, 503);
    service.kill("SIGTERM");
    const { code, stderr } = await service.output();
    assertEquals(code, 0);
    assertEquals(stderr.match(/The database does not answer/g)?.length, 2, stderr);
  },
});

waitingTest({
  ...needing("serve.ts ends at SIGTERM though its database is frozen", ACCOUNT, UNIX),
  async fn() {
    await using server = await MortalServer.start();
    await using service = await ServeRun.start(["--create-table"], server.url);
    assertEquals((await service.signUp("ann@example.com")).status, 201);
    await server.freeze();
    service.kill("SIGTERM");
    const { code, stderr } = await service.output();
    assertEquals(code, 0, stderr);
    await server.thaw();
  },
});

test("waits at SIGTERM for half a body no longer than for others", async ({ service }) => {
  using connection = await service.connect();
  await connection.write(HALF_A_BODY);
  await until(async () => (await service.metric("burst_connections")) > 1);
  service.kill("SIGTERM");
  assertEquals((await service.output()).code, 0);
}, ["--header-timeout", "1", "--body-timeout", "1"]);

test("exits with 1 if a request was not answered in time", async ({ sql, service, table }) => {
  await using _ = await lockTable(sql);
  const reply = service.signUp("ann@example.com").then(() => true, () => false);
  await until(() => isLockedOut(sql, table));
  service.kill("SIGTERM");
  const { code, stderr } = await service.output();
  assertEquals([code, await reply], [1, false]);
  assertMatch(stderr, /\nCannot answer 1 of the last requests as .* within 1 s\n/);
}, ["--header-timeout", "1", "--body-timeout", "1"]);

test("says that it is about to stop before it does", async ({ service }) => {
  service.kill("SIGTERM");
  await until(async () => (await service.get("/healthz")).status === 503);
  assertEquals((await service.signUp("late@example.com")).status, 201);
  assertEquals((await service.output()).code, 0);
}, ["--drain-delay", "1"]);

test("answers 201 once the row is committed, and not before", async ({ sql, service, table }) => {
  let reply;
  let answered = false;
  {
    await using _ = await lockTable(sql);
    reply = service.signUp("ann@example.com").finally(() => answered = true);
    await until(() => isLockedOut(sql, table));
    assertEquals((await service.get("/healthz")).status, 200);
    assertEquals(answered, false);
  }
  const { status, body } = await reply;
  assertEquals([status, JSON.parse(body)], [201, { email: "ann@example.com" }]);
  const [{ hash }] = await sql`select hash from users where email = 'ann@example.com'`;
  assert(await verifyPassword(`${SECRET}-ann@example.com`, hash));
});

test("lets one of many have an email, however it is written", async ({ sql, service }) => {
  const spellings = ["ann@example.com", "Ann@Example.com", "ANN@EXAMPLE.COM", "ann@example.COM"];
  const replies = await Promise.all([...spellings, ...spellings].map((one) => service.signUp(one)));
  const statuses = replies.map(({ status }) => status).sort();
  assertEquals(statuses, [201, ...Array(7).fill(409)]);
  assertEquals((await service.signUp("ann@example.com")).status, 409);
  assertEquals(await emailsIn(sql), ["ann@example.com"]);
});

test("refuses what is unusable with a sentence that quotes nothing", async ({ sql, service }) => {
  const user = (email: unknown, password: unknown) => JSON.stringify({ email, password });
  const cases: [body: string, reason: string][] = [
    [`{"email": "a@b", "password": "${SECRET}`, "not valid JSON"],
    [`["a@b", "${SECRET}"]`, "must be an object"],
    ["null", "must be an object"],
    ["", "not valid JSON"],
    [`{"email": "a@b", "email": "c@d", "password": "${SECRET}"}`, "the same name twice"],
    [user(undefined, SECRET), "the email as it must be a string"],
    [user(7, SECRET), "the email as it must be a string"],
    [user("a@b", undefined), "the password as it must be a string"],
    [user("a@b", [SECRET]), "the password as it must be a string"],
    ...[
      ...["", "a", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a\u0000@b", "a\u200b@b", "a\ud800@b"],
      ...["é@b.de", "ш@x.org", "a@-b", "a@b-.de", "a@b..de", "a@.de", "a@b_c", "(a)@b"],
      ...["a@[127.0.0.1]", `a@${"b".repeat(64)}.de`, '"a"@b', "a,b@c", "a@b,c"],
    ].map((email): [string, string] => [user(email, SECRET), "the email as it is not a valid"]),
    [user(`${"a".repeat(250)}@b.de`, SECRET), "longer than 254 bytes"],
    [user("a@b", ""), "at least 8 characters"],
    [user("a@b", "Secret7"), "at least 8 characters"],
    [user("a@b", "e\u0301".repeat(7)), "at least 8 characters"],
    [user("a@b", SECRET.padEnd(73)), "73 bytes"],
    [user("a@b", SECRET.padEnd(70, "é")), "bytes as bcrypt sees only"],
    [user("a@b", `${SECRET}-12\u0000`), "a NUL character"],
    [user("a@b", `${SECRET}-12\ud800`), "half of a surrogate pair"],
    [user("a@b", SECRET.padEnd(5_000)), "larger than 4096 bytes"],
  ];
  for (const [text, reason] of cases) {
    const { status, body } = await service.post("/users", text);
    const { error, ...rest } = JSON.parse(body);
    assertEquals([status, rest], [422, {}], text);
    assertStringIncludes(error, reason);
    assertHidden(error);
  }
  const { status } = await service.post("/users", user("a@b", SECRET), { "content-type": "a/b" });
  assertEquals(status, 415);
  assertEquals(await emailsIn(sql), []);
});

test("takes a password of 72 bytes, and an email of 254", async ({ service }) => {
  const password = SECRET.padEnd(72, "x");
  const email = `${"a".repeat(249)}@b.de`;
  assertEquals((await service.signUp(email, password)).status, 201);
  assertEquals((await service.logIn(email, password)).status, 204);
});

test("reads no more of a body than it may have, told or not", async ({ sql, service }) => {
  const part = new TextEncoder().encode(" ".repeat(1_000));
  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      if (++sent > 100_000) controller.error(new Error("it is read on and on"));
      else controller.enqueue(part);
    },
  });
  const headers = { "content-type": "application/json" };
  const reply = await service.request("POST", "/users", { headers, body: endless })
    .catch(() => undefined);
  // Who does not stop sending may see the connection closed before the answer.
  if (reply !== undefined) assertEquals(reply.status, 422);
  using connection = await service.connect();
  await connection.write(new TextEncoder().encode(
    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
  ));
  assertMatch(await readAll(connection), /^HTTP\/1\.1 422 /);
  assertEquals((await service.signUp("a@b")).status, 201);
  assertEquals(await emailsIn(sql), ["a@b"]);
});

async function readAll(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(1_000);
  let text = "";
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n));
  }
  return text;
}

test("tells who has the right password", async ({ service, sql }) => {
  await service.signUp("ann@example.com");
  await sql`insert into users values ('old@example.com', 'no hash at all')`;
  const status = async (email: string, password?: string) =>
    (await service.logIn(email, password)).status;
  assertEquals(await status("ann@example.com"), 204);
  assertEquals(await status("ANN@example.com", `${SECRET}-ann@example.com`), 204);
  assertEquals(await status("ann@example.com", SECRET), 401);
  assertEquals(await status("ann@example.com", ""), 401);
  assertEquals(await status("ann@example.com", SECRET.padEnd(73)), 401);
  assertEquals(await status("nobody@example.com"), 401);
  assertEquals(await status("a\u0000@example.com"), 401);
  assertEquals(await status("old@example.com", "no hash at all"), 401);
  const [wrong, nobody] = await Promise.all([
    service.logIn("ann@example.com", SECRET),
    service.logIn("nobody@example.com", SECRET),
  ]);
  assertEquals(wrong.body, nobody.body);
  assertEquals((await service.post("/sessions", "{}")).status, 422);
});

test("answers 503 to what is too much, unread, and goes on", async (context) => {
  const { sql, service, table } = context;
  let first;
  {
    await using _ = await lockTable(sql);
    first = service.signUp("first@example.com");
    await until(() => isLockedOut(sql, table));
    const { status, headers, body } = await service.signUp("second@example.com");
    assertEquals(status, 503);
    assertMatch(headers.get("retry-after")!, /^[1-9]\d?$/);
    assertStringIncludes(JSON.parse(body).error, "try again later");
    assertEquals((await service.logIn("first@example.com")).status, 503);
    // Its body never comes.
    using connection = await service.connect();
    await connection.write(new TextEncoder().encode(
      "POST /users HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n",
    ));
    const buffer = new Uint8Array(100);
    await connection.read(buffer);
    assertMatch(new TextDecoder().decode(buffer), /^HTTP\/1\.1 503 /);
    assertEquals((await service.get("/healthz")).status, 200);
    assertEquals(await service.metric("burst_requests_in_hand"), 1);
  }
  assertEquals((await first).status, 201);
  assertEquals((await service.signUp("second@example.com")).status, 201);
  assertEquals(await emailsIn(sql), ["first@example.com", "second@example.com"]);
}, ["--max-queued", "1"]);

test("tells Prometheus what happens", async ({ service }) => {
  await service.signUp("ann@example.com");
  await service.logIn("ann@example.com");
  await service.logIn("nobody@example.com");
  await service.get(`/${SECRET}"\n`);
  const { body, headers } = await service.get("/metrics");
  assertStringIncludes(headers.get("content-type")!, "text/plain; version=0.0.4");
  const families = new Map<string, string>();
  const samples = new Map<string, number>();
  for (const line of body.split("\n").filter((line) => line !== "")) {
    const type = /^# TYPE (\w+) (\w+)$/.exec(line);
    if (type !== null) families.set(type[1], type[2]);
    if (line.startsWith("#")) continue;
    const [, name, value] = /^(\w+(?:\{(?:\w+="[^"]*",?)*\})?) (\S+)$/.exec(line)!;
    const family = name.replace(/\{.*/, "").replace(/_(bucket|sum|count)$/, "");
    assert(families.has(family), line);
    samples.set(name, Number(value));
  }
  const count = (route: string, status: number) =>
    samples.get(`burst_http_response_seconds_count{route="${route}",status="${status}"}`);
  assertEquals([count("/users", 201), count("/sessions", 204), count("/sessions", 401)], [1, 1, 1]);
  assertEquals(count("other", 404), 1);
  assertEquals(samples.get(`burst_batch_rows_count{outcome="saved"}`), 1);
  assertEquals(families.get("burst_event_loop_delay_seconds"), "histogram");
  for (const name of ["hash_queue", "hash_in_flight", "save_queue", "batches_in_flight"]) {
    assertEquals([families.get(`burst_${name}`), samples.get(`burst_${name}`)], ["gauge", 0]);
  }
});

test("limits guesses of a user and of an address, and tells when to come back", async (context) => {
  const { service } = context;
  assertEquals((await service.signUp("ann@example.com")).status, 201);
  const guess = (email: string) => service.logIn(email, "a wrong one");
  // What is right costs nothing, even at the same time.
  const right = Array.from({ length: 8 }, () => service.logIn("ann@example.com"));
  assert((await Promise.all(right)).every(({ status }) => [204, 429].includes(status)));
  const wrong = await Promise.all(Array.from({ length: 5 }, () => guess("ann@example.com")));
  assertEquals(wrong.map(({ status }) => status).sort(), [401, 401, 401, 429, 429]);
  const { status, headers, body } = await service.logIn("Ann@example.com");
  assertEquals(status, 429);
  assertMatch(headers.get("retry-after")!, /^(19\d|200)$/);
  assertStringIncludes(JSON.parse(body).error, "try again later");
  assertEquals((await guess("nobody@example.com")).status, 401);
  // A taken address is a guess as well, of the last two.
  assertEquals((await service.signUp("ann@example.com")).status, 409);
  assertEquals((await guess("somebody@example.com")).status, 401);
  assertEquals((await guess("else@example.com")).status, 429);
  assertEquals((await service.signUp("bob@example.com")).status, 429);
}, ["--guesses-per-user", "3", "--guesses-per-address", "6"]);

test("compares a password in NFC, and replaces hashes of another cost", async (context) => {
  const { sql, service } = context;
  const nfd = `${SECRET}-e\u0301`;
  const [old, odd] = await Promise.all([
    hashPassword(nfd.normalize("NFC"), { cost: 5 }),
    hashPassword(nfd, { cost: 4 }),
  ]);
  await sql`insert into users values ('old@b', ${old}), ('odd@b', ${odd})`;
  assertEquals((await service.signUp("new@b", nfd)).status, 201);
  for (const password of [nfd, nfd.normalize("NFC")]) {
    assertEquals((await service.logIn("new@b", password)).status, 204);
    assertEquals((await service.logIn("old@b", password)).status, 204);
    // As another program has hashed it
    assertEquals((await service.logIn("odd@b", password)).status, 204);
  }
  for (const { hash } of await sql`select hash from users`) {
    assertMatch(hash, /^\$2b\$04\$/);
    assert(await verifyPassword(nfd.normalize("NFC"), hash));
  }
});

test("keeps the server's words and the names of constraints from clients", async (context) => {
  const { sql, service } = context;
  await sql`alter table users add constraint no_shops check (email not like '%@shop%')`;
  await sql`create function refuse() returns trigger language plpgsql as
    $$ begin if new.email like 'x%' then raise '»%«', new.hash; end if; return new; end $$`;
  await sql`create trigger refuse before insert on users for each row execute function refuse()`;
  for (const email of ["a@shop", "x@b"]) {
    const { status, body } = await service.signUp(email);
    const error = "The account cannot be saved: try another email";
    assertEquals([status, JSON.parse(body)], [422, { error }]);
  }
  service.kill("SIGTERM");
  const { stderr } = await service.output();
  assertMatch(stderr, /refused: Cannot save a row as .* \(23514, constraint 'no_shops'\)\n/);
  assertMatch(stderr, /refused: Cannot save a row as a trigger refused it \(P0001\)\n/);
});

test("answers pipelined requests in turn, and no flood of them", async ({ service }) => {
  const requests = (count: number) =>
    new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".repeat(count));
  using polite = await service.connect();
  await polite.write(requests(5));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(100_000);
  for (let text = ""; text.split("HTTP/1.1 200 OK").length < 6;) {
    text += decoder.decode(buffer.subarray(0, await polite.read(buffer) ?? 0), { stream: true });
  }
  using flood = await service.connect();
  await flood.write(requests(2_000)).catch(() => {});
  await readAll(flood).catch(() => {});
  const answered = await service.metric(
    'burst_http_response_seconds_count{route="/metrics",status="200"}',
  );
  assert(answered <= 5 + 8, `${answered} are answered`);
});

test("calls it no mistake when a client leaves in mid-body", async ({ service }) => {
  for (let i = 0; i < 3; i++) {
    using connection = await service.connect();
    await connection.write(HALF_A_BODY);
  }
  const left = 'burst_http_response_seconds_count{route="/users",status="499"}';
  await until(async () => (await service.get("/metrics")).body.includes(`${left} 3\n`));
  service.kill("SIGTERM");
  assertMatch((await service.output()).stderr, /^\S+ Stopping after the requests in progress\n$/);
});

test("finishes what it has at SIGTERM, and exits with 0", async ({ sql, service, table }) => {
  let reply;
  {
    await using _ = await lockTable(sql);
    reply = service.signUp("ann@example.com");
    await until(() => isLockedOut(sql, table));
    service.kill("SIGTERM");
    // It listens no longer.
    await until(() => service.connect().then((conn) => (conn.close(), false), () => true));
  }
  assertEquals((await reply).status, 201);
  const { code, stderr } = await service.output();
  assertEquals(code, 0);
  assertMatch(stderr, /^\S+ Stopping after the requests in progress\n$/);
  assertEquals(await emailsIn(sql), ["ann@example.com"]);
});

test("ends at once at the second signal", async ({ sql, service, table }) => {
  await using _ = await lockTable(sql);
  const reply = service.signUp("ann@example.com").then(() => true, () => false);
  await until(() => isLockedOut(sql, table));
  service.kill("SIGTERM");
  await until(() => service.connect().then((conn) => (conn.close(), false), () => true));
  service.kill("SIGTERM");
  assertEquals((await service.output()).code, 143);
  assertEquals(await reply, false);
});

test("closes connections that send the head of a request bit by bit", async ({ service }) => {
  using connection = await service.connect();
  const write = (text: string) => connection.write(new TextEncoder().encode(text));
  await write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  const buffer = new Uint8Array(1_000);
  await connection.read(buffer);
  // Also where it has sent a good one before.
  await write("GET /healthz HTTP/1.1\r\n");
  const drip = setInterval(() => void write("X: y\r\n").catch(() => {}), 100);
  try {
    const text = await readAll(connection).catch(() => "");
    assert(text === "" || text.startsWith("HTTP/1.1 408"), text);
  } finally {
    clearInterval(drip);
  }
  // For the body there would have been time.
}, ["--header-timeout", "1", "--body-timeout", "300"]);

test("closes connections that send the body bit by bit", async ({ service }) => {
  using connection = await service.connect();
  await connection.write(new TextEncoder().encode(
    "POST /users HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
  ));
  const text = await readAll(connection).catch(() => "");
  assert(text === "" || text.startsWith("HTTP/1.1 408"), text);
  assertEquals((await service.get("/healthz")).status, 200);
}, ["--header-timeout", "1", "--body-timeout", "1"]);

test("answers what is at no path, and to no method", async ({ service }) => {
  assertEquals((await service.get("/")).status, 404);
  assertEquals((await service.get("/toString")).status, 404);
  const { status, headers } = await service.get("/users");
  assertEquals([status, headers.get("allow")], [405, "POST"]);
  const head = await service.request("HEAD", "/healthz");
  assertEquals([head.status, head.body], [200, ""]);
});

test("knows its own rows after its connections were killed", async ({ sql, service, table }) => {
  const replies: Promise<{ status: number }>[] = [];
  {
    await using _ = await lockTable(sql);
    for (let i = 0; i < 20; i++) replies.push(service.signUp(`user${i}@example.com`));
    await until(() => isLockedOut(sql, table));
    await endLockedOut(sql, table);
  }
  const statuses = (await Promise.all(replies)).map(({ status }) => status);
  assertEquals(statuses, Array(20).fill(201));
  assertEquals((await emailsIn(sql)).length, 20);
});

databaseTest("serve.ts refuses what cannot work, with one sentence", async (sql, schema) => {
  await sql`create table users (id int primary key, email text, hash text)`;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const url = ["--database-url", databaseUrl()];
  await sql`create table numbers (email int unique, hash text)`;
  await sql`create table fine (email text unique, hash text)`;
  const role = `role_${schema}`;
  await sql`create role ${sql(role)}`;
  await sql`grant usage on schema ${sql(schema)} to ${sql(role)}`;
  await sql`grant select on fine to ${sql(role)}`;
  const as = [...url];
  as[1] += `${as[1].includes("?") ? "&" : "?"}options=${encodeURIComponent(`-c role=${role}`)}`;
  // As NATS does, it speaks first.
  const stranger = createServer((socket) => socket.resume().end("INFO {}\r\n")).listen(
    0,
    "127.0.0.1",
  );
  await new Promise((resolve) => stranger.once("listening", resolve));
  const { port: strangerPort } = stranger.address() as AddressInfo;
  const cases: [args: string[], code: number, sentence: RegExp][] = [
    [["--no-such-flag"], 2, /^Cannot run this as there is no flag '--no-such-flag': see --help\n$/],
    [["--port", "70000"], 2, /^Cannot run this as --port must be a whole number from 0 to 65535/],
    [["--cost", "3"], 2, /--cost must be/],
    [["--data-dir", "x", ...url], 2, /^Cannot run this with both/],
    [["--database-url", "http://x"], 2, /^Cannot use --database-url as it must be an address/],
    [["--header-timeout", "9", "--body-timeout", "8"], 2, /--body-timeout must be at least/],
    [
      ["--database-url", "postgres://u:Secret@127.0.0.1:9/x"],
      1,
      /^Cannot use the database at .*\n$/,
    ],
    [["--table", `${schema}.nothing`, ...url], 1, /use --create-table, or check --table\n$/],
    [["--table", `${schema}.users`, ...url], 1, /^Cannot .*unique.*\n$/],
    [["--table", `${schema}.numbers`, ...url], 1, /column 'email' .* of type integer cannot hold/],
    [
      ["--table", `${schema}.fine`, ...as],
      1,
      /^Cannot .* the user may not INSERT column 'email'.*\n$/,
    ],
    [
      ["--database-url", `postgres://u:Secret@127.0.0.1:${strangerPort}/x`],
      1,
      /^Cannot use the database at 127.* as what listens there is no PostgreSQL: .*\n$/,
    ],
    [
      ["--database-url", `postgres://u:Secret@127.0.0.1:${port}/x?connect_timeout=1`],
      1,
      /^Cannot use the database at 127.* as it does not answer: .*\n$/,
    ],
    [
      ["--table", `${schema}.fine`, "--create-table", "--cost", "4", "--port", `${port}`, ...url],
      1,
      /^Cannot listen on 127\.0\.0\.1:\d+ as another program does: .*\n$/,
    ],
  ];
  try {
    for (const [args, expected, sentence] of cases) {
      const { code, stdout, stderr } = await runHere("serve.ts", args);
      assertEquals([code, stdout], [expected, ""], args.join(" ") + stderr);
      assertMatch(stderr, sentence);
    }
  } finally {
    listener.close();
    await new Promise((resolve) => stranger.close(resolve));
    await sql`drop owned by ${sql(role)}`;
    await sql`drop role ${sql(role)}`;
  }
});
