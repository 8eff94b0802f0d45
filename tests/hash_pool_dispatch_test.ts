import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { HashPool, type HashPoolOptions } from "../hash_pool.ts";
import { rejection, settle } from "./_helpers.ts";
import { fakePool, hashMany } from "./_hash_pool.ts";

Deno.test("HashPool refuses options that are out of range or of the wrong kind", () => {
  const cases: [unknown, typeof RangeError | typeof TypeError, string][] = [
    [{ workers: 0 }, RangeError, "'workers' must be a positive integer: current value is 0"],
    [{ workers: 1.5 }, RangeError, "'workers' must be a positive integer: current value is 1.5"],
    [{ cost: 3 }, RangeError, "'cost' must be an integer from 4 to 31: current value is 3"],
    [{ cost: 32 }, RangeError, "'cost' must be an integer from 4 to 31: current value is 32"],
    [
      { cost: "10" },
      RangeError,
      "'cost' must be an integer from 4 to 31: current value is a string",
    ],
    [
      { algorithm: "md5" },
      TypeError,
      `'algorithm' must be "bcrypt" or "scrypt": current value is a string`,
    ],
    [{ scrypt: { N: 2 } }, TypeError, `'scrypt' needs the algorithm "scrypt"`],
    [
      { engine: "native" },
      TypeError,
      `'engine' must be "auto", "lanes" or "bcryptjs": current value is a string`,
    ],
    [{ createWorker: 1 }, TypeError, "'createWorker' must be a function: current value is 1"],
  ];
  for (const [options, type, message] of cases) {
    const error = assertThrows(() => new HashPool(options as HashPoolOptions), type);
    assertEquals(error.message, `Cannot create a hash pool as ${message}`);
  }
  const N = { algorithm: "scrypt", scrypt: { N: 1000 } } as const;
  assertThrows(() => new HashPool(N), RangeError, "'N' must be a power of 2");
});

Deno.test("HashPool.hash() refuses a password that bcrypt would cut, without a worker and without telling it", async () => {
  const { pool, workers } = fakePool();
  const secret = "secret".repeat(13);
  for (const [bad, type] of [[secret, RangeError], ["secret\0", TypeError], [7, TypeError]]) {
    const error = await rejection(pool.hash(bad as string));
    assertInstanceOf(error, type as typeof RangeError);
    assert(!error.message.includes("secret"), error.message);
  }
  assertEquals([workers.all.length, pool.size, pool.inFlight], [0, 0, 0]);
});

Deno.test("HashPool.verify() refuses what is not a string", async () => {
  const { pool, workers } = fakePool();
  await assertRejects(
    () => pool.verify(Symbol() as unknown as string, "hash"),
    TypeError,
    "Cannot verify a password as 'password' must be a string: current value is a symbol",
  );
  await assertRejects(() => pool.verify("a", undefined as unknown as string), TypeError, "'hash'");
  assertEquals(workers.all.length, 0);
});

Deno.test("HashPool starts no worker before there is work, and no more than there is work for", async () => {
  const { pool, workers } = fakePool({ workers: 3, cost: 10 });
  await settle();
  assertEquals(workers.all.length, 0);
  hashMany(pool, 1);
  await settle();
  assertEquals(workers.all.length, 1);
  hashMany(pool, 1);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[1], [1]]);
  hashMany(pool, 9);
  await settle();
  assertEquals(workers.all.length, 3);
  await workers.drain(pool);
  assertEquals(workers.all.length, 3);
  await pool.close();
});

Deno.test("HashPool spreads a few passwords over its workers", async () => {
  const { pool, workers } = fakePool({ workers: 3 });
  hashMany(pool, 7);
  await settle();
  assertEquals(workers.all.map(({ groups }) => groups), [[3], [2], [2]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool gives each worker two groups and no more, of about the same work at every cost", async () => {
  for (const [cost, size] of [[4, 16], [5, 8], [6, 4], [7, 2], [8, 1], [12, 1]]) {
    const { pool, workers } = fakePool({ cost });
    hashMany(pool, 100);
    await settle();
    assertEquals(workers.all.map(({ groups }) => groups), [[size, size], [size, size]]);
    assertEquals([pool.size, pool.inFlight], [100 - 4 * size, 4 * size]);
    await workers.drain(pool);
    await pool.close();
  }
});

Deno.test("HashPool weighs a password to be verified by the cost of its hash", async () => {
  const { pool, workers } = fakePool({ cost: 4, workers: 1 });
  const answers = Array.from({ length: 4 }, () => pool.verify("a", `$2b$08$${"a".repeat(53)}`));
  await settle();
  assertEquals(workers.all[0].groups, [1, 1]);
  await workers.drain(pool);
  assertEquals(await Promise.all(answers), [false, false, false, false]);
  const scrypt = "$scrypt$ln=16,r=8,p=1$c2FsdA$a2V5";
  for (let i = 0; i < 4; i++) pool.verify("a", scrypt);
  await settle();
  assertEquals(workers.all[0].groups.slice(4), [1, 1]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool hands on the next group before a worker has done the one before", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  hashMany(pool, 50);
  await settle();
  const [worker] = workers.all;
  assertEquals(worker.groups, [16, 16]);
  worker.answer(15);
  assertEquals(worker.groups, [16, 16]);
  worker.answer(1);
  assertEquals(worker.groups, [16, 16, 16]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool prefers the worker that is idle, then the one that will be free first", async () => {
  const { pool, workers } = fakePool({ cost: 12 });
  hashMany(pool, 2);
  await settle();
  const [first, second] = workers.all;
  first.answer();
  hashMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1]]);
  hashMany(pool, 1);
  await settle();
  assertEquals([first.groups, second.groups], [[1, 1], [1, 1]]);
  await workers.drain(pool);
  await pool.close();
});

Deno.test("HashPool gives each caller the result of his own password, in whatever order they come", async () => {
  const { pool, workers } = fakePool();
  const hashes = hashMany(pool, 40);
  const verified = pool.verify("a", "hash of a"), refuted = pool.verify("a", "hash of b");
  await settle();
  const [first, second] = workers.all;
  second.answer();
  await settle();
  first.answer();
  await workers.drain(pool);
  assertEquals(await Promise.all(hashes), hashes.map((_, i) => `hash of ${i}`));
  assertEquals([await verified, await refuted], [true, false]);
  await pool.close();
});

Deno.test("HashPool.hash() rejects with what the worker says of this password alone", async () => {
  const { pool, workers } = fakePool({ workers: 1 });
  const [bad, good] = hashMany(pool, 2);
  await settle();
  const error = new RangeError("Too much memory");
  workers.all[0].answer(1, () => error);
  workers.all[0].answer();
  assertStrictEquals(await rejection(bad), error);
  assertEquals(await good, "hash of 1");
  await pool.close();
});
