import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import bcrypt from "bcryptjs";
import type { FromWorker, JobResult } from "../_internal/pool/hash_protocol.ts";
import { type HashEngine, HashPool, HashWorkerError } from "../hash_pool.ts";
import { rejection, settle } from "./_helpers.ts";
import { FakeWorkers } from "./fixtures/hash_pool_fake_worker.ts";

const ROOT = new URL("../", import.meta.url);
// A worker on the local disk has to be read.
const ignore = Deno.permissions.querySync({ name: "read", path: ROOT }).state !== "granted";

/** Makes workers of a module of the tests. */
function fixture(file: string): (url: string, name: string) => Worker {
  const url = new URL(`fixtures/${file}`, import.meta.url);
  return (_url, name) => new Worker(url, { type: "module", name });
}

/** Makes workers whose results are noted. */
function noted(results: JobResult[][]): (url: string, name: string) => Worker {
  return (url, name) => {
    const worker = new Worker(url, { type: "module", name });
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === "results") results.push(data.results.map(([_, result]) => result));
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
      await using pool = new HashPool({ workers: 2, cost: 5, engine });
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
    const results: JobResult[][] = [];
    await using pool = new HashPool({ workers: 1, cost: 7, createWorker: noted(results) });
    // So cheap that the worker gets all of them in one message.
    const hashes = ["$2a$", "$2b$", "$2y$"].map((version) =>
      bcrypt.hashSync("a", 7).replace("$2b$", version)
    );
    const others = [pool.verify("a", bcrypt.hashSync("a", 4)), pool.verify("b", hashes[0])];
    const answers = [...hashes.map((hash) => pool.verify("a", hash)), ...others];
    assertEquals(await Promise.all(answers), [true, true, true, true, false]);
    assertEquals(results.map(({ length }) => length), [1, 4]);
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
        const hashes = await Promise.all(Array.from({ length: 50 }, () => pool.hash("a")));
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
      for (const answer of answers) {
        const error = await rejection(answer);
        assertInstanceOf(error, HashWorkerError);
        assertEquals(error.started, false);
        assertMatch(
          error.message,
          /^Cannot hash or verify a password as no worker could be started: The engine "lanes" cannot be used/,
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
      scrypt: { N: 16 },
      createWorker: fixture("hash_pool_without_wasm_worker.ts"),
    });
    assert(await pool.verify("a", await pool.hash("a")));
  });
  assertEquals(said, []);
});

Deno.test(
  "HashPool calls off a long hash that nobody waits for, and keeps its worker and neighbours",
  {
    ignore,
  },
  async () => {
    let made = 0;
    const results: JobResult[][] = [];
    const create = noted(results);
    await using pool = new HashPool({
      workers: 1,
      cost: 14,
      createWorker: (url, name) => {
        made++;
        return create(url, name);
      },
    });
    const short = bcrypt.hashSync("a", 4);
    assert(await pool.verify("a", short));
    const controllers = ["a", "b"].map(() => new AbortController());
    const neighbour = pool.hash("c");
    const aborted = controllers.map(({ signal }) => pool.hash("a", { signal }));
    while (pool.size > 0) await settle();
    controllers[0].abort();
    controllers[1].abort();
    for (const [i, hash] of aborted.entries()) {
      assertStrictEquals(await rejection(hash), controllers[i].signal.reason);
    }
    assert(bcrypt.compareSync("c", await neighbour));
    assertEquals(made, 1);
    // The worker heard of it while it was hashing: it said so before the neighbour was done.
    assertEquals(results.slice(1).flat().map((result) => typeof result), [
      "undefined",
      "undefined",
      "string",
    ]);
  },
);

Deno.test(
  "HashPool goes on at once when all that is in its lanes is called off",
  { ignore },
  async () => {
    let made = 0;
    await using pool = new HashPool({
      workers: 1,
      // Hours.
      cost: 26,
      createWorker: (url, name) => {
        made++;
        return new Worker(url, { type: "module", name });
      },
    });
    const short = bcrypt.hashSync("a", 4);
    assert(await pool.verify("a", short));
    const controller = new AbortController();
    const long = ["a", "b", "c"].map((word) => pool.hash(word, { signal: controller.signal }));
    const after = pool.verify("a", short);
    while (pool.size > 0) await settle();
    controller.abort();
    for (const hash of long) assertStrictEquals(await rejection(hash), controller.signal.reason);
    assert(await after);
    assertEquals(made, 1);
  },
);

Deno.test("HashPool ends its workers in the middle of hours of hashing", { ignore }, async () => {
  const pool = new HashPool({ workers: 2, cost: 31 });
  const hashes = Array.from({ length: 20 }, () => pool.hash("a"));
  const ended = Promise.all(hashes.map(rejection));
  while (pool.inFlight < 8) await settle();
  await pool[Symbol.asyncDispose]();
  // That the test ends at all shows that the workers did.
  assertEquals((await ended).length, 20);
});

Deno.test("HashPool gives a worker with lanes as much more to do at once", async () => {
  for (const [cost, size] of [[4, 64], [6, 16], [8, 4], [12, 4]]) {
    for (const engine of ENGINES) {
      const workers = new FakeWorkers((worker) => worker.say({ type: "ready", lanes: 4 }));
      const pool = new HashPool({ workers: 2, cost, engine, createWorker: workers.create });
      const hashes = Array.from({ length: 300 }, () => pool.hash("a"));
      await settle();
      const each = engine === "bcryptjs" ? size / 4 : size;
      assertEquals(workers.all.map(({ groups }) => groups), [[each, each], [each, each]]);
      await workers.drain(pool);
      assertEquals((await Promise.all(hashes)).length, 300);
      await pool.close();
    }
  }
});

Deno.test("HashPool spreads a few passwords over workers that have lanes, and are still to come", async () => {
  const workers = new FakeWorkers((worker) => {
    if (worker === workers.all[0]) worker.say({ type: "ready", lanes: 4 });
  });
  const pool = new HashPool({ workers: 2, cost: 10, createWorker: workers.create });
  const hashes = Array.from({ length: 4 }, () => pool.hash("a"));
  await settle();
  workers.all[1].say({ type: "ready", lanes: 4 });
  assertEquals(workers.all.map(({ groups }) => groups), [[2], [2]]);
  await workers.drain(pool);
  await Promise.all(hashes);
  await pool.close();
});

Deno.test("HashPool skips a long hash in a lane, but not one that is hashed otherwise", async () => {
  const scrypt = "$scrypt$ln=20,r=8,p=1$c2FsdA$a2V5";
  for (
    const [lanes, hash, kept] of [[4, undefined, true], [1, undefined, false], [
      4,
      scrypt,
      false,
    ]] as const
  ) {
    const workers = new FakeWorkers((worker) => worker.say({ type: "ready", lanes }));
    const pool = new HashPool({ workers: 1, cost: 14, createWorker: workers.create });
    const controller = new AbortController(), { signal } = controller;
    const answer = hash === undefined
      ? pool.hash("a", { signal })
      : pool.verify("a", hash, { signal });
    await settle();
    controller.abort();
    await rejection(answer);
    assertEquals(workers.all[0].terminated, !kept);
    assertEquals(workers.all[0].messages.at(-1)?.type, kept ? "skip" : "group");
    await pool[Symbol.asyncDispose]();
  }
});
