import { assert, assertEquals } from "@std/assert";
import type { HashPool } from "../hash_pool.ts";
import { ConcurrencyLimit } from "../scripts/serve/concurrency_limit.ts";
import type { Asked } from "../scripts/serve/http_server.ts";
import type { Metrics } from "../scripts/serve/metrics.ts";
import { Service } from "../scripts/serve/service.ts";
import type { Users } from "../scripts/serve/users.ts";
import { isPending } from "./_helpers.ts";

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

const metrics = { noteResponse() {} } as unknown as Metrics;

function ask(path: string, value: unknown): Asked {
  return {
    method: "POST",
    path,
    contentType: "application/json",
    contentLength: undefined,
    body: ReadableStream.from([new TextEncoder().encode(JSON.stringify(value))]),
    signal: new AbortController().signal,
  };
}

Deno.test("Service verifies against a hash of the same cost where there is no user", async () => {
  const verified: string[] = [];
  const pool = {
    hash: () => Promise.resolve("$2b$04$decoy"),
    verify(_: string, hash: string) {
      if (hash === "$2b$99$") return Promise.reject(new RangeError("It costs too much"));
      if (!hash.startsWith("$2b$04$")) return Promise.reject(new TypeError("It is no hash"));
      verified.push(hash);
      return Promise.resolve(true);
    },
  } as unknown as HashPool;
  const hashes: Record<string, string> = {
    "ann@b": "$2b$04$ann",
    "old@b": "x",
    "odd@b": "$2b$99$",
  };
  const users = { hashOf: (email: string) => Promise.resolve(hashes[email]) } as unknown as Users;
  const concurrencyLimit = new ConcurrencyLimit(1);
  const service = await Service.create({
    users,
    pool,
    concurrencyLimit,
    metrics,
    maxBody: 99,
    log() {},
  });
  const statuses = [];
  for (const email of ["ann@b", "nobody@b", "old@b", "odd@b", "\0"]) {
    const { status } = await service.answer(ask("/sessions", { email, password: "p" }));
    statuses.push(status);
  }
  assertEquals(statuses, [204, 401, 401, 401, 401]);
  assertEquals(verified, ["$2b$04$ann", ...Array(4).fill("$2b$04$decoy")]);
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
