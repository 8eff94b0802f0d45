import { assert, assertEquals, assertRejects } from "@std/assert";
import { EventEmitter } from "node:events";
import { createServer, type Server } from "node:net";
import type { HashPool } from "../hash_pool.ts";
import { ScriptError } from "../scripts/cli/run.ts";
import { watchAccepting } from "../scripts/serve/accept_check.ts";
import { ConcurrencyLimit } from "../scripts/serve/concurrency_limit.ts";
import { GuessLimit, networkOf } from "../scripts/serve/guess_limit.ts";
import { Guesses } from "../scripts/serve/guesses.ts";
import type { Asked } from "../scripts/serve/http_server.ts";
import type { Metrics } from "../scripts/serve/metrics.ts";
import { affordable } from "../scripts/serve/open_files.ts";
import { Service } from "../scripts/serve/service.ts";
import type { Users } from "../scripts/serve/users.ts";
import { isPending } from "./_helpers.ts";
import { needing } from "./_needs.ts";

Deno.test("ConcurrencyLimit.retryAfter is what is in hand at the speed of late", () => {
  let now = 0;
  const concurrencyLimit = new ConcurrencyLimit(100, () => now);
  assertEquals(concurrencyLimit.retryAfter, 1);
  const all = Array.from({ length: 20 }, () => concurrencyLimit.enter());
  for (const one of all.splice(0, 10)) {
    now += 500;
    one[Symbol.dispose]();
  }
  assertEquals([concurrencyLimit.inHand, concurrencyLimit.retryAfter], [10, 5]);
  for (const one of all) {
    now += 60_000;
    one[Symbol.dispose]();
  }
  const more = Array.from({ length: 100 }, () => concurrencyLimit.enter());
  assertEquals([more.length, concurrencyLimit.hasRoom, concurrencyLimit.retryAfter], [
    100,
    false,
    60,
  ]);
});

Deno.test("ConcurrencyLimit does not count the time in which there is nothing to do", () => {
  let now = 0;
  const concurrencyLimit = new ConcurrencyLimit(10, () => now);
  for (let i = 0; i < 5; i++) {
    now += 1_000_000;
    const one = concurrencyLimit.enter();
    now += 10;
    one[Symbol.dispose]();
  }
  for (let i = 0; i < 10; i++) concurrencyLimit.enter();
  assertEquals(concurrencyLimit.retryAfter, 1);
});

const guesses = { take: () => ({ giveBack() {} }) };

const metrics = { noteResponse() {} } as unknown as Metrics;

function ask(path: string, value: unknown): Asked {
  return {
    method: "POST",
    path,
    contentType: "application/json",
    contentLength: undefined,
    remoteAddress: "127.0.0.1",
    header: () => undefined,
    body: ReadableStream.from([new TextEncoder().encode(JSON.stringify(value))]),
    signal: new AbortController().signal,
  };
}

Deno.test("Service hashes as much for any hash and for none, and replaces old ones", async () => {
  let verified: string[] = [];
  const right = "é".normalize("NFC");
  const pool = {
    hash: (password: string) => Promise.resolve(`$2b$06$new ${password}`),
    verify(password: string, hash: string) {
      if (hash === "$2b$99$") return Promise.reject(new RangeError("It costs too much"));
      if (!hash.startsWith("$2")) return Promise.reject(new TypeError("It is no hash"));
      verified.push(hash);
      return Promise.resolve(password === right && !hash.includes("new"));
    },
  } as unknown as HashPool;
  const hashes: Record<string, string> = {
    "ann@b": "$2y$06$ann",
    "old@b": "$2b$04$old",
    "odd@b": "x",
    "wild@b": "$2b$99$",
    "dear@b": "$2b$08$dear",
  };
  const replaced: string[][] = [];
  const users = {
    hashOf: (email: string) => Promise.resolve(hashes[email]),
    replace: (...args: string[]) => (replaced.push(args), Promise.resolve()),
  } as unknown as Users;
  const service = await Service.create({
    users,
    pool,
    concurrencyLimit: new ConcurrencyLimit(1),
    guesses,
    minPassword: 1,
    metrics,
    maxBody: 99,
    log() {},
  });
  const decoyOf = (cost: string) => `$2b$${cost}$new ${"x"}`.slice(0, 11);
  const logIn = async (email: string, password: string) => {
    verified = [];
    const { status } = await service.answer(ask("/sessions", { email, password }));
    return [status, ...verified.map((hash) => hash.slice(0, 11))];
  };
  assertEquals(await logIn("ann@b", "wrong"), [401, "$2y$06$ann"]);
  for (const nobody of ["nobody@b", "odd@b", "wild@b", "\0"]) {
    assertEquals(await logIn(nobody, "wrong"), [401, decoyOf("06")]);
  }
  assertEquals(await logIn("old@b", "wrong"), [
    401,
    ...["$2b$04$old", decoyOf("04"), decoyOf("05")],
  ]);
  assertEquals(replaced, []);
  // As some keyboards compose it.
  assertEquals((await logIn("ann@b", "é".normalize("NFD")))[0], 204);
  assertEquals(replaced, []);
  assertEquals((await logIn("old@b", right))[0], 204);
  assertEquals(replaced, [["old@b", "$2b$04$old", `$2b$06$new ${right}`]]);
  // From now on, all take as long as the dearest.
  assertEquals(await logIn("dear@b", "wrong"), [401, "$2b$08$dear"]);
  assertEquals(await logIn("ann@b", "wrong"), [
    401,
    ...["$2y$06$ann", decoyOf("06"), decoyOf("07")],
  ]);
  assertEquals(await logIn("old@b", "wrong"), [401, "$2b$04$old", decoyOf("08")]);
  assertEquals(await logIn("nobody@b", "wrong"), [401, decoyOf("08")]);
});

Deno.test("GuessLimit lets through a burst, then one by one, and forgets the oldest", () => {
  let now = 0;
  const limit = new GuessLimit({ burst: 3, period: 30_000, maxKeys: 2, now: () => now });
  assertEquals([1, 2, 3, 4].map(() => limit.take("ann")), [0, 0, 0, 10]);
  limit.giveBack("ann");
  assertEquals([limit.take("ann"), limit.take("ann")], [0, 10]);
  now = 9_000;
  assertEquals(limit.take("ann"), 1);
  now = 10_000;
  assertEquals([limit.take("ann"), limit.take("ann"), limit.take("bob")], [0, 10, 0]);
  limit.take("cid");
  assertEquals([limit.take("ann"), limit.take("ann"), limit.take("ann")], [0, 0, 0]);
  now = 1_000_000;
  assertEquals([1, 2, 3, 4].map(() => limit.take("cid")), [0, 0, 0, 10]);
});

Deno.test("networkOf() is the address, or what all addresses of one line begin with", () => {
  const cases = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2",
    "2001:0db8:1::6": "2001:db8:1:0",
    "2001:db8::": "2001:db8:0:0",
    "::1": "0:0:0:0",
    "fe80::1%eth0": "fe80:0:0:0",
    "": "",
  };
  for (const [address, network] of Object.entries(cases)) {
    assertEquals(networkOf(address), network, address);
  }
});

Deno.test("Guesses counts by what the nearest proxy appends, if it is told which header", () => {
  const logged: string[] = [];
  const options = { perUser: 100, perAddress: 2, log: (text: string) => logged.push(text) };
  const from = (forwarded: string, remoteAddress = "10.0.0.1") => ({
    ...ask("/sessions", {}),
    remoteAddress,
    header: (name: string) => name === "x-forwarded-for" ? forwarded : undefined,
  });
  const isLate = (guesses: Guesses, asked: Asked) => "retryAfter" in guesses.take(asked, "ann");
  const told = new Guesses({ ...options, clientHeader: "x-forwarded-for" });
  for (const forwarded of ["192.0.2.1", "9.9.9.9, 192.0.2.1", "192.0.2.2", "x", "y"]) {
    assertEquals(isLate(told, from(forwarded)), false, forwarded);
  }
  assertEquals(isLate(told, from("8.8.8.8,192.0.2.1")), true);
  assertEquals(isLate(told, from("z")), true);
  assertEquals(logged, []);
  const untold = new Guesses({ ...options, clientHeader: undefined });
  assertEquals(["1.1.1.1", "2.2.2.2", "3.3.3.3"].map((ip) => isLate(untold, from(ip))), [
    false,
    false,
    true,
  ]);
  assertEquals(logged.length, 1);
});

Deno.test("affordable() is half of the file descriptors that are free", () => {
  const { openSync } = Deno;
  let open = 0;
  Deno.openSync = () => {
    if (open === 101) throw Object.assign(new Error("Too many open files"), { code: "EMFILE" });
    open++;
    return { [Symbol.dispose]: () => void open-- } as unknown as Deno.FsFile;
  };
  try {
    assertEquals([affordable(400), affordable(50), affordable(20), open], [50, 50, 20, 0]);
  } finally {
    Deno.openSync = openSync;
  }
});

Deno.test({
  ...needing("watchAccepting() fails when a server listens and accepts nothing"),
  async fn() {
    // Never asked to accept.
    using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname: address, port } = deaf.addr as Deno.NetAddr;
    const server = new EventEmitter() as unknown as Server;
    server.address = () => ({ address, port, family: "IPv4" });
    using watch = watchAccepting(server, { interval: 1, timeout: 20 });
    await assertRejects(() => watch.failed, ScriptError, "no connection is accepted any more");
    await using hearing = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => hearing.once("listening", resolve));
    using second = watchAccepting(hearing, { interval: 1, timeout: 20 });
    for (let i = 0; i < 9; i++) await new Promise((resolve) => hearing.once("connection", resolve));
    assert(await isPending(second.failed));
  },
});

Deno.test("Service has one question on its way to the database, however many ask", async () => {
  let pings = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const users = { ping: () => (pings++, promise) } as unknown as Users;
  const pool = { hash: () => Promise.resolve("") } as unknown as HashPool;
  const logged: string[] = [];
  const service = await Service.create({
    users,
    pool,
    metrics,
    concurrencyLimit: new ConcurrencyLimit(1),
    guesses,
    minPassword: 1,
    maxBody: 99,
    log: (sentence) => logged.push(sentence),
  });
  const asked = { ...ask("/healthz", {}), method: "GET" };
  const answers = [service.answer(asked), service.answer(asked)];
  assert(await isPending(answers[1]));
  reject(new Error("gone"));
  assertEquals((await Promise.all(answers)).map(({ status }) => status), [503, 503]);
  assertEquals(pings, 1);
  assertEquals(logged, ["The database does not answer: gone"]);
  resolve();
});
