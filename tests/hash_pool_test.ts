import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import * as fc from "fast-check";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { type Envelope, type FromThread, POOL } from "../_internal/pool/protocol.ts";
import { HashPool } from "../hash_pool.ts";
import { PoolClosedError, WorkError, WorkerStartError } from "../pool.ts";
import { hashPassword, randomPassword, verifyPassword } from "../workload.ts";
import { rejection } from "./_helpers.ts";

const ROOT = new URL("../", import.meta.url);
// A worker on the local disk has to be read.
const ignore = Deno.permissions.querySync({ name: "read", path: ROOT }).state !== "granted";
const ignoreChild = ignore ||
  (["run", "net"] as const).some((name) =>
    Deno.permissions.querySync({ name }).state !== "granted"
  );

/** Makes workers that count the messages in which they answer, and note what is in them. */
function listening(heard: (worker: Worker, message: FromThread) => void) {
  return (url: URL, options: WorkerOptions): Worker => {
    const worker = new Worker(url, options);
    worker.on("message", ({ [POOL]: message }: Envelope) => heard(worker, message));
    return worker;
  };
}

/** Runs a program in a process of its own, which has a minute: code, standard output and error. */
async function runDeno(args: string[], program = ""): Promise<[number, string, string]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-lock", ...args],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return [code, decoder.decode(stdout), decoder.decode(stderr)];
}

Deno.test(
  "HashPool.hash() and verify() fit together and agree with the workload",
  { ignore },
  async () => {
    await using pool = new HashPool({ workers: 1, cost: 5 });
    const passwords = ["", "correct horse", "pässwörd 🐎", "x".repeat(72)];
    const hashes = await Promise.all(passwords.map((password) => pool.hash(password)));
    for (const [i, hash] of hashes.entries()) {
      assertEquals(hash.slice(0, 7), "$2b$05$");
      assert(await verifyPassword(passwords[i], hash));
      assert(await pool.verify(passwords[i], hash));
      assertEquals(await pool.verify("another", hash), false);
    }
    assert(await pool.verify("theirs", await hashPassword("theirs", { cost: 4 })));
    assertEquals(await pool.verify("x".repeat(73), hashes[3]), false);
  },
);

Deno.test("HashPool hashes with scrypt", { ignore }, async () => {
  const scrypt = { cost: 10, blockSize: 4, parallelism: 2 };
  await using pool = new HashPool({ workers: 1, algorithm: "scrypt", ...scrypt });
  const long = "long\0".repeat(30);
  const hash = await pool.hash(long);
  assertMatch(hash, /^\$scrypt\$ln=10,r=4,p=2\$/);
  assert(await verifyPassword(long, hash));
  assert(await pool.verify(long, hash));
  assertEquals(await pool.verify("another", hash), false);
  assert(await pool.verify("theirs", await hashPassword("theirs", { cost: 4 })));
});

Deno.test("HashPool.verify() rejects with the error of the workload when a hash is none", {
  ignore,
}, async () => {
  await using pool = new HashPool({ workers: 1, cost: 4 });
  await assertRejects(
    () => pool.verify("a", "not a hash"),
    TypeError,
    "Cannot verify a password as the hash is not one of bcrypt, scrypt or argon2id",
  );
  const tooMuch = "$scrypt$ln=40,r=8,p=1$c2FsdHNhbHQ$a2V5a2V5";
  assertInstanceOf(await rejection(pool.verify("a", tooMuch)), RangeError);
  assertEquals((await pool.hash("a")).length, 60);
});

Deno.test("HashPool hashes in all its workers at once", { ignore }, async () => {
  const ready = new Set<Worker>(), working = new Set<Worker>();
  const allReady = Promise.withResolvers<void>();
  await using pool = new HashPool({
    workers: 3,
    cost: 8,
    createWorker: listening((worker, { type }) => {
      if (type === "answers") working.add(worker);
      if (type === "ready" && ready.add(worker).size === 3) allReady.resolve();
    }),
  });
  const hashNine = () => Promise.all(Array.from({ length: 9 }, () => pool.hash("a")));
  // Those that come late may find that the others have done it all.
  await Promise.all([allReady.promise, hashNine()]);
  working.clear();
  await hashNine();
  assertEquals(working.size, 3);
});

Deno.test(
  "HashPool answers what is done together, short hashes in company, and long ones at once",
  {
    ignore,
  },
  async () => {
    const cases = [
      ["bcryptjs", 4, 64, 8, 63],
      ["bcryptjs", 8, 6, 6, 6],
      ["lanes", 4, 64, 2, 32],
      ["lanes", 8, 8, 2, 4],
    ] as const;
    for (const [engine, cost, count, least, most] of cases) {
      let messages = 0;
      await using pool = new HashPool({
        workers: 1,
        engine,
        cost,
        createWorker: listening((_worker, { type }) => {
          if (type === "answers") messages++;
        }),
      });
      await Promise.all(Array.from({ length: count }, () => pool.hash("a")));
      assert(messages >= least && messages <= most, `${messages} messages: ${engine}, ${cost}`);
    }
  },
);

Deno.test(
  "HashPool does not keep a short result until a long hash is done",
  { ignore },
  async () => {
    await using pool = new HashPool({ workers: 1, cost: 10 });
    const hash = await hashPassword("a", { cost: 4 });
    // Once compiled, it takes less than a slice.
    for (let i = 0; i < 30; i++) await pool.verify("a", hash);
    const short = pool.verify("a", hash), long = pool.hash("a");
    assert(await short);
    assertEquals(pool.inFlight, 1);
    await long;
  },
);

Deno.test("HashPool leaves the thread of the event loop free", { ignore }, async () => {
  await using pool = new HashPool({ workers: 1, cost: 10 });
  await pool.hash("a");
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await pool.hash("a");
  clearInterval(timer);
  assert(turns > 3, `${turns} turns in one hash`);
});

Deno.test("HashPool.map() hashes on real workers, in order", { ignore }, async () => {
  await using pool = new HashPool({ workers: 2, cost: 4 });
  const users = Array.from({ length: 200 }, (_, id) => ({ id, password: randomPassword() }));
  const hashed = await Array.fromAsync(
    pool.map(users, ({ password }) => password, { ordered: true }),
  );
  assertEquals(hashed.map(({ item }) => item), users);
  for (const { item, hash } of hashed.slice(0, 20)) {
    assert(await verifyPassword(item.password, hash));
  }
  assertEquals(new Set(hashed.map(({ hash }) => hash)).size, 200);
});

Deno.test(
  "HashPool.hash() rejects at once when aborted in the middle of a hash, and the pool goes on without it",
  { ignore },
  async () => {
    // Hours: only a new worker can verify anything before.
    await using pool = new HashPool({ workers: 1, cost: 26 });
    const hash = await hashPassword("a", { cost: 4 });
    assert(await pool.verify("a", hash));
    const controller = new AbortController();
    const long = pool.hash("a", { signal: controller.signal });
    const short = pool.verify("a", hash);
    setTimeout(() => controller.abort(), 100);
    assertStrictEquals(await rejection(long), controller.signal.reason);
    assert(await short);
    assertEquals([pool.size, pool.inFlight], [0, 0]);
  },
);

Deno.test(
  "HashPool has a worker pass over what was aborted before it began",
  { ignore },
  async () => {
    let results = 0;
    await using pool = new HashPool({
      workers: 1,
      cost: 10,
      engine: "bcryptjs",
      createWorker: listening((_worker, message) => {
        if (message.type === "answers") results += message.computed;
      }),
    });
    const controller = new AbortController();
    const first = pool.hash("a"), second = pool.hash("b", { signal: controller.signal });
    while (pool.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    await rejection(second);
    await first;
    await pool.hash("c");
    assertEquals(results, 2);
  },
);

Deno.test(
  "HashPool replaces a worker that is terminated in the middle of a hash",
  { ignore },
  async () => {
    const workers: Worker[] = [];
    await using pool = new HashPool({
      workers: 1,
      cost: 26, // hours
      createWorker: (url, options) => {
        workers.push(new Worker(url, options));
        return workers.at(-1)!;
      },
    });
    const hash = await hashPassword("a", { cost: 4 });
    assert(await pool.verify("a", hash));
    const long = pool.hash("a");
    const short = pool.verify("a", hash);
    setTimeout(() => workers[0].terminate(), 100);
    const error = await rejection(long);
    assertInstanceOf(error, WorkError);
    assertEquals([error.reason, error.item], ["died", undefined]);
    assert(await short);
    assertEquals(workers.length, 2);
  },
);

Deno.test(
  "HashPool rejects what waits for a worker whose module cannot be loaded",
  { ignore },
  async () => {
    let made = 0;
    await using pool = new HashPool({
      workers: 2,
      cost: 4,
      createWorker: () => {
        made++;
        return new Worker(new URL("data:text/javascript,throw new Error('No such luck')"));
      },
    });
    const error = await rejection(Promise.all([pool.hash("a"), pool.hash("b")]));
    assertInstanceOf(error, WorkerStartError);
    assertMatch(error.message, /no worker could be started: .*No such luck/);
    assertEquals(made, 2);
  },
);

Deno.test(
  "HashPool does nothing in a worker of the user's, but works there",
  { ignore },
  async () => {
    const program = `import { HashPool } from ${JSON.stringify(new URL("hash_pool.ts", ROOT).href)};
    postMessage("loaded");
    await using pool = new HashPool({ workers: 1, cost: 4 });
    postMessage((await pool.hash("a")).length);`;
    const heard: unknown[] = [];
    const worker = new globalThis.Worker(`data:text/javascript,${encodeURIComponent(program)}`, {
      type: "module",
      name: "users-own",
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.addEventListener("message", ({ data }) => {
      heard.push(data);
      if (data === 60) resolve();
    });
    await promise;
    worker.terminate();
    assertEquals(heard, ["loaded", 60]);
  },
);

Deno.test(
  "HashPool.close() ends the workers once what was asked for is done",
  { ignore },
  async () => {
    const pool = new HashPool({ workers: 2, cost: 4 });
    const hashes = Array.from({ length: 100 }, () => pool.hash("a"));
    await pool.close();
    assertEquals((await Promise.all(hashes)).length, 100);
    await assertRejects(() => pool.hash("late"), PoolClosedError);
  },
);

Deno.test(
  "HashPool[Symbol.asyncDispose]() ends the pool in the middle of long hashes",
  { ignore },
  async () => {
    const hash = await hashPassword("a", { cost: 4 });
    let pending: Promise<unknown>;
    {
      await using pool = new HashPool({ workers: 2, cost: 26 }); // hours
      await pool.verify("a", hash);
      pending = Promise.all(["a", "b", "c"].map((word) => rejection(pool.hash(word))));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    for (const error of await pending as unknown[]) assertInstanceOf(error, PoolClosedError);
  },
);

Deno.test("HashPool settles every promise exactly once on real workers", { ignore }, async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("hash"), signal: fc.nat({ max: 1 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("wait"), signal: fc.nat({ max: 20 }) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abort"), signal: fc.nat({ max: 1 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom("close", "dispose"), signal: fc.constant(0) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const pool = new HashPool({ workers: 2, cost: 4 });
      const controllers = [new AbortController(), new AbortController()];
      const settled: number[] = [];
      for (const { do: what, signal } of steps) {
        if (what === "hash") {
          const i = settled.push(0) - 1;
          const note = () => void settled[i]++;
          pool.hash("a", { signal: controllers[signal].signal }).then(note, note);
        } else if (what === "wait") await new Promise((resolve) => setTimeout(resolve, signal));
        else if (what === "abort") controllers[signal].abort();
        else if (what === "close") void pool.close();
        else void pool[Symbol.asyncDispose]();
      }
      await pool.close();
      assertEquals(settled, settled.map(() => 1));
      assertEquals([pool.size, pool.inFlight], [0, 0]);
    }),
    { numRuns: 15 },
  );
});

Deno.test("HashPool does not keep the process alive while it is idle, but while it is busy", {
  ignore: ignoreChild,
}, async () => {
  const script = new URL("./fixtures/hash_pool_left_open.ts", import.meta.url).href;
  const config = new URL("deno.json", ROOT).pathname;
  const ended = await runDeno(["--allow-read", "--config", config, script]);
  assertEquals(ended, [0, "3\n", ""]);
});

Deno.test("HashPool says what is missing when its workers may not read the module", {
  ignore: ignoreChild,
}, async () => {
  const script = new URL("./fixtures/hash_pool_left_open.ts", import.meta.url).href;
  const config = new URL("deno.json", ROOT).pathname;
  const [code, stdout, stderr] = await runDeno(["--no-prompt", "--config", config, script]);
  assertEquals([code, stdout], [1, ""]);
  assertMatch(
    stderr,
    /WorkerStartError: .* no worker could be started: Requires read access .*--allow-read/,
  );
});

Deno.test("HashPool needs no permission and no second file when it is imported from a URL", {
  ignore: ignoreChild,
}, async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const text = await Deno.readTextFile(new URL(`.${pathname}`, ROOT));
      // As JSR does.
      const served = text.replaceAll(`"bcryptjs"`, `"npm:bcryptjs@^3.0.3"`)
        .replaceAll(`"hash-wasm"`, `"npm:hash-wasm@^4.13.0"`);
      return new Response(served, { headers: { "content-type": "application/typescript" } });
    },
  );
  const { hostname, port } = server.addr;
  const ended = await runDeno(
    ["--no-config", "--no-prompt", "--quiet", `--allow-import=${hostname}:${port}`, "-"],
    `import { HashPool } from "http://${hostname}:${port}/hash_pool.ts";
    await using pool = new HashPool({ workers: 1, cost: 4 });
    const hash = await pool.hash("correct horse");
    console.log(await pool.verify("correct horse", hash), await pool.verify("battery", hash));`,
  );
  assertEquals(ended, [0, "true false\n", ""]);
});
