import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import bcrypt from "bcryptjs";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { type Envelope, POOL } from "../_internal/pool/protocol.ts";
import { type HashEngine, HashPool } from "../hash_pool.ts";
import { WorkerStartError } from "../pool.ts";
import { fakeClock, rejection, settle } from "./_helpers.ts";

const ROOT = new URL("../", import.meta.url);
// A worker on the local disk has to be read.
const ignore = Deno.permissions.querySync({ name: "read", path: ROOT }).state !== "granted";

/** Makes workers of a module of the tests. */
function fixture(file: string): (url: URL, options: WorkerOptions) => Worker {
  const url = new URL(`fixtures/${file}`, import.meta.url);
  return (_url, options) => new Worker(url, options);
}

/** Makes workers whose results are noted, by message. */
function noted(results: unknown[][]): (url: URL, options: WorkerOptions) => Worker {
  return (url, options) => {
    const worker = new Worker(url, options);
    worker.on("message", ({ [POOL]: message }: Envelope) => {
      if (message.type === "answers") results.push([...message.results]);
    });
    return worker;
  };
}

/** What is said on the console meanwhile. */
async function warnings(work: () => Promise<void>): Promise<string[]> {
  const said: string[] = [];
  const { warn } = console;
  console.warn = (text: string) => void said.push(text);
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return said;
}

const ENGINES: readonly HashEngine[] = ["auto", "lanes", "bcryptjs"];

Deno.test("HashPool hashes and verifies alike with every engine", { ignore }, async () => {
  const passwords = ["", "correct horse", "pässwörd 🐎", "x".repeat(72), "a", "b", "c", "d", "e"];
  const said = await warnings(async () => {
    for (const engine of ENGINES) {
      await using pool = new HashPool({ workers: 1, cost: 5, engine });
      const hashes = await Promise.all(passwords.map((password) => pool.hash(password)));
      assertEquals(new Set(hashes).size, passwords.length);
      for (const [i, hash] of hashes.entries()) {
        assertMatch(hash, /^\$2b\$05\$[./A-Za-z0-9]{53}$/);
        assert(bcrypt.compareSync(passwords[i], hash));
      }
      const right = passwords.map((password, i) => pool.verify(password, hashes[i]));
      const wrong = passwords.map((password, i) => pool.verify(password + "!", hashes[i]));
      assertEquals(await Promise.all(right), passwords.map(() => true));
      assertEquals(await Promise.all(wrong), passwords.map(() => false));
    }
  });
  assertEquals(said, []);
});

Deno.test("HashPool.verify() judges odd hashes alike with every engine", { ignore }, async () => {
  const salt = "$2b$04$/OK.fbVrR/bpIqNJ5ianF.";
  const hash = bcrypt.hashSync("a", salt);
  const cases: (readonly [password: string, hash: string])[] = [
    ["a", hash],
    ["a", hash.replace("$2b$", "$2a$")],
    ["a", hash.replace("$2b$", "$2y$")],
    ["a", hash.replace("$04$", "$05$")],
    ["a\0", hash],
    ["\ud800", hash],
    ["a".repeat(73), hash],
    // The last character of the salt, and of the hash, has bits that mean nothing.
    ["a", `${salt.slice(0, -1)}/${hash.slice(29)}`],
    ["a", hash.slice(0, -1) + String.fromCharCode(hash.charCodeAt(59) + 1)],
    ["a", hash.replace("$04$", "$03$")],
    ["a", hash.replace("$04$", "$32$")],
    ["a", hash.replace("$2b$", "$2x$")],
  ];
  const answers = await Promise.all(ENGINES.map(async (engine) => {
    await using pool = new HashPool({ workers: 1, engine });
    return await Promise.all(
      cases.map(([password, hash]) => pool.verify(password, hash).catch(String)),
    );
  }));
  assertEquals(answers[0].slice(0, 4), [true, true, true, false]);
  assertEquals(answers[0], answers[2]);
  assertEquals(answers[1], answers[2]);
});

Deno.test(
  "HashPool does hashes of the same cost together, of whatever version",
  { ignore },
  async () => {
    const results: unknown[][] = [];
    await using pool = new HashPool({ workers: 1, cost: 7, createWorker: noted(results) });
    // So cheap that the worker gets all of them in one message.
    const hashes = ["$2a$", "$2b$", "$2y$"].map((version) =>
      bcrypt.hashSync("a", 7).replace("$2b$", version)
    );
    const others = [pool.verify("a", bcrypt.hashSync("a", 4)), pool.verify("b", hashes[0])];
    const answers = [...hashes.map((hash) => pool.verify("a", hash)), ...others];
    assertEquals(await Promise.all(answers), [true, true, true, true, false]);
    // The worker gets three at a time, of which the first is of another cost.
    assertEquals(results.map(({ length }) => length), [1, 2, 2]);
  },
);

for (
  const [fixtureName, reason] of [
    ["hash_pool_without_wasm_worker.ts", /as there is no WebAssembly$/],
    ["hash_pool_wrong_wasm_worker.ts", /as its self-test, with lanes: \d, gave a wrong hash$/],
  ] as const
) {
  Deno.test(`HashPool falls back to bcryptjs, with one warning (${fixtureName})`, {
    ignore,
  }, async () => {
    const said = await warnings(async () => {
      await using pool = new HashPool({
        workers: 2,
        cost: 4,
        createWorker: fixture(fixtureName),
      });
      for (let round = 0; round < 2; round++) {
        const hashes = await Promise.all(Array.from({ length: 12 }, () => pool.hash("a")));
        for (const hash of hashes) assert(bcrypt.compareSync("a", hash));
        assert(await pool.verify("a", hashes[0]));
      }
    });
    assertEquals(said.length, 1, said.join("\n"));
    assertMatch(said[0], /^Hashing with bcryptjs, .* the engine "lanes"/);
    assertMatch(said[0], reason);
  });

  Deno.test(`HashPool fails with the engine "lanes" where it cannot be used (${fixtureName})`, {
    ignore,
  }, async () => {
    const said = await warnings(async () => {
      await using pool = new HashPool({
        workers: 2,
        cost: 4,
        engine: "lanes",
        createWorker: fixture(fixtureName),
      });
      const controller = new AbortController();
      const answers = Array.from(
        { length: 20 },
        (_, i) => pool.hash("a", i % 2 === 0 ? { signal: controller.signal } : {}),
      );
      for (const error of await Promise.all(answers.map(rejection))) {
        assertInstanceOf(error, WorkerStartError);
        assertMatch(
          error.message,
          /^Cannot compute anything as no worker could be started: .*The engine "lanes" cannot be used/,
        );
        assertMatch(error.message, reason);
      }
      assertEquals([pool.size, pool.inFlight], [0, 0]);
    });
    assertEquals(said, []);
  });

  Deno.test(`HashPool with the engine "bcryptjs" does not mind (${fixtureName})`, {
    ignore,
  }, async () => {
    const said = await warnings(async () => {
      await using pool = new HashPool({
        workers: 1,
        cost: 4,
        engine: "bcryptjs",
        createWorker: fixture(fixtureName),
      });
      assert(bcrypt.compareSync("a", await pool.hash("a")));
    });
    assertEquals(said, []);
  });
}

Deno.test("HashPool hashes with scrypt, and warns of nothing, where there is no WebAssembly", {
  ignore,
}, async () => {
  const said = await warnings(async () => {
    await using pool = new HashPool({
      workers: 1,
      algorithm: "scrypt",
      cost: 4,
      createWorker: fixture("hash_pool_without_wasm_worker.ts"),
    });
    assert(await pool.verify("a", await pool.hash("a")));
  });
  assertEquals(said, []);
});

Deno.test("HashPool leaves a long hash that nobody waits for, and loses none of the others", {
  ignore,
}, async () => {
  await using pool = new HashPool({
    workers: 1,
    // Hours.
    cost: 26,
  });
  const short = bcrypt.hashSync("a", 4);
  assert(await pool.verify("a", short));
  const controller = new AbortController();
  const long = ["a", "b", "c"].map((word) => pool.hash(word, { signal: controller.signal }));
  const after = pool.verify("a", short);
  while (pool.size > 0) await settle();
  using clock = fakeClock(["setTimeout", "clearTimeout"]);
  controller.abort();
  for (const hash of long) assertStrictEquals(await rejection(hash), controller.signal.reason);
  clock.tick(500);
  assert(await after);
});

Deno.test("HashPool lets a hash finish for its neighbours in the lanes when nobody waits for it", {
  ignore,
}, async () => {
  let made = 0;
  await using pool = new HashPool({
    workers: 1,
    cost: 9,
    createWorker: (url, options) => {
      made++;
      return new Worker(url, options);
    },
  });
  assert(await pool.verify("a", bcrypt.hashSync("a", 4)));
  const controller = new AbortController();
  const aborted = ["a", "b"].map((word) => pool.hash(word, { signal: controller.signal }));
  const neighbour = pool.hash("c");
  while (pool.size > 0) await settle();
  using clock = fakeClock(["setTimeout", "clearTimeout"]);
  controller.abort();
  for (const hash of aborted) assertStrictEquals(await rejection(hash), controller.signal.reason);
  clock.tick(500);
  assert(bcrypt.compareSync("c", await neighbour));
  assertEquals(made, 1);
});

Deno.test("HashPool ends its workers in the middle of hours of hashing", { ignore }, async () => {
  const pool = new HashPool({ workers: 2, cost: 31 });
  const hashes = Array.from({ length: 20 }, () => pool.hash("a"));
  const ended = Promise.all(hashes.map(rejection));
  while (pool.inFlight < 8) await settle();
  await pool[Symbol.asyncDispose]();
  // That the test ends at all shows that the workers did.
  assertEquals((await ended).length, 20);
});
