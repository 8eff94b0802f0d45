import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { AsyncBatcher } from "../batcher.ts";
import { runPipeline } from "../pipeline.ts";
import {
  PoolClosedError,
  WorkError,
  WorkerStartError,
  type WorkFailure,
  WorkPool,
} from "../pool.ts";
import { isPending, rejection, settle } from "./_helpers.ts";
import type { Order } from "./fixtures/pool_work.ts";

const ROOT = new URL("../", import.meta.url);
const WORK = new URL("fixtures/pool_work.ts", import.meta.url);
type Work = typeof import("./fixtures/pool_work.ts");
// A worker on the local disk has to be read.
const ignore = Deno.permissions.querySync({ name: "read", path: ROOT }).state !== "granted";

/** A module of a few lines. */
function module(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

Deno.test(
  "WorkPool.run() gives what the function gives, also what it promises",
  { ignore },
  async () => {
    await using pool = new WorkPool<Work>(WORK, { workers: 2 });
    assertEquals(await pool.run(21), 42);
    assertEquals(await pool.run({ do: "later", n: 3 }), 3);
    assertEquals(await Promise.all([1, 2, 3].map((n) => pool.run(n))), [2, 4, 6]);
  },
);

Deno.test("WorkPool runs the export that it is told to", { ignore }, async () => {
  await using pool = new WorkPool<Work, "busy">(WORK, { workers: 1, export: "busy" });
  const ms: number = await pool.run(1);
  assertEquals(ms, 1);
});

Deno.test("WorkPool passes over what the module says to its own parent", { ignore }, async () => {
  const source = `import { parentPort } from "node:worker_threads";
    const types = ["ready", "unusable", "outOfMemory", "stray", "answers", "progress"];
    function say() {
      for (const said of [null, undefined, "half", 1, [], ...types.map((type) => ({ type }))]) {
        parentPort.postMessage(said);
        globalThis.postMessage?.(said);
      }
    }
    say();
    export function setup() { say(); }
    export default (n) => { say(); return 2 * n; };`;
  await using pool = new WorkPool<{ default(n: number): number }>(module(source), { workers: 1 });
  assertEquals(await Promise.all([1, 2, 3].map((n) => pool.run(n))), [2, 4, 6]);
});

Deno.test("WorkPool is heard by no listener of the module, and by its thread whatever that does", {
  ignore,
}, async () => {
  const source = `import { parentPort } from "node:worker_threads";
    function listen() {
      const heard = () => { throw new Error("heard"); };
      parentPort.on("message", heard);
      parentPort.addEventListener("message", heard);
      parentPort.onmessage = globalThis.onmessage = heard;
      parentPort.off("message", heard);
      parentPort.on("message", heard);
    }
    function forget() {
      // Deno has none that works.
      try { parentPort.removeAllListeners("message"); } catch {}
    }
    listen();
    export default (n) => { forget(); listen(); return 2 * n; };`;
  await using pool = new WorkPool<{ default(n: number): number }>(module(source), { workers: 1 });
  for (const n of [1, 2]) assertEquals(await pool.run(n), 2 * n);
});

Deno.test("WorkPool computes in all its workers at once", { ignore }, async () => {
  await using pool = new WorkPool<Work, "meet">(WORK, { workers: 3, export: "meet" });
  const arrived = new Int32Array(new SharedArrayBuffer(4));
  const met = await Promise.all(Array.from({ length: 3 }, () => pool.run(arrived)));
  assertEquals(met, [true, true, true]);
});

const DEEDS: readonly (readonly [Exclude<Order, number>["do"], WorkFailure, RegExp])[] = [
  ["throwText", "threw", /its function threw the text "boom"$/],
  ["throwNothing", "threw", /its function threw undefined$/],
  ["throwFrozen", "threw", /its function threw an object$/],
  ["throwFunction", "threw", /its function threw a function that cannot be cloned$/],
  ["throwSymbol", "threw", /its function threw a symbol that cannot be cloned$/],
  ["throwTrap", "threw", /its function threw RangeError$/],
  ["throwProxy", "threw", /its function threw something that cannot be read$/],
  ["throwItself", "threw", /its function threw Error: its own cause$/],
  ["reject", "threw", /its function threw SyntaxError: rejected$/],
  ["thenTrap", "threw", /its function threw Error: a trap$/],
  [
    "giveFunction",
    "result",
    /its result cannot be sent from the worker, which threw DataCloneError/,
  ],
  ["giveTrap", "result", /its result cannot be sent from the worker, which threw Error: a trap$/],
  ["exit", "died", /the worker ended with exit code 3$/],
  ["denoExit", "died", /the worker ended with exit code 3$/],
  ["close", "died", /the worker ended with exit code 0$/],
  ["stray", "died", /the worker had an error that nobody caught, Error: nobody holds this$/],
  ["strayLater", "died", /the worker had an error that nobody caught, Error: later$/],
  ["throwLater", "died", /the worker had an error that nobody caught, Error: in a callback$/],
];

/** Made outside any test, as many share it: whatever a function does, the pool is as it was. */
const hardy = ignore ? undefined : new WorkPool<Work>(WORK, { workers: 1 });
await hardy?.start();
Deno.test.afterAll(() => hardy?.close());

for (const [deed, reason, message] of DEEDS) {
  Deno.test(`WorkPool fails only the item whose function does "${deed}"`, { ignore }, async () => {
    const pool = hardy!;
    const bad: Order = { do: deed, n: 3 };
    const orders = [1, 2, 3, bad, 4, 5, 6];
    const results = await Promise.allSettled(orders.map((order) => pool.run(order)));
    const [error] = results.splice(3, 1);
    assert(error.status === "rejected");
    assertInstanceOf(error.reason, WorkError);
    assertEquals([error.reason.reason, error.reason.item], [reason, bad]);
    assertMatch(error.reason.message, message);
    assertMatch(error.reason.message, /^Cannot compute an item as /);
    assertEquals(results, [2, 4, 6, 8, 10, 12].map((value) => ({ status: "fulfilled", value })));
    assertEquals([pool.size, pool.inFlight], [0, 0]);
  });
}

for (const deed of ["loop", "block", "hang"] as const) {
  Deno.test(`WorkPool ends an item that takes too long, as with "${deed}", and no other`, {
    ignore,
  }, async () => {
    await using pool = new WorkPool<Work>(WORK, { workers: 1, timeout: 200 });
    const orders: Order[] = [1, 2, { do: deed }, 3];
    const results = await Promise.allSettled(orders.map((order) => pool.run(order)));
    const [error] = results.splice(2, 1);
    assert(error.status === "rejected");
    assertInstanceOf(error.reason, WorkError);
    assertEquals([error.reason.reason, error.reason.message], [
      "timeout",
      "Cannot compute an item as it took longer than 200 ms",
    ]);
    assertEquals(results, [2, 4, 6].map((value) => ({ status: "fulfilled", value })));
  });
}

Deno.test("WorkPool times each item from its own beginning", { ignore }, async () => {
  await using pool = new WorkPool<Work, "busy">(WORK, {
    workers: 1,
    timeout: 1000,
    export: "busy",
  });
  await pool.run(1);
  // Together they take longer than one may.
  const results = await Promise.all(Array.from({ length: 30 }, () => pool.run(40)));
  assertEquals(results.length, 30);
});

for (const deed of ["fill", "fillLater"] as const) {
  Deno.test(`WorkPool fails the item whose function does "${deed}", and no other`, {
    ignore,
  }, async () => {
    await using pool = new WorkPool<Work>(WORK, { workers: 1, maxHeap: 32 });
    const results = await Promise.allSettled([pool.run(1), pool.run({ do: deed }), pool.run(2)]);
    assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assert(results[1].status === "rejected");
    assertEquals(
      results[1].reason.message,
      "Cannot compute an item as the worker ran out of memory",
    );
  });
}

Deno.test("WorkPool brings over an error with its class, cause and code", { ignore }, async () => {
  const error = await rejection(hardy!.run({ do: "throwRich" }));
  assertInstanceOf(error, WorkError);
  const { cause } = error;
  assertInstanceOf(cause, RangeError);
  assertEquals(cause.message, "too rich");
  assertInstanceOf(cause.cause, TypeError);
  assertEquals((cause as { code?: string }).code, "RICH");
  assertEquals("helper" in cause, false);
  assertMatch(cause.stack!, /pool_work\.ts/);
});

Deno.test("WorkPool refuses an item that cannot be cloned, and no other", { ignore }, async () => {
  const bad = (() => {}) as unknown as Order;
  const results = await Promise.allSettled([1, bad, 2].map((order) => hardy!.run(order)));
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert(results[1].status === "rejected");
  assertInstanceOf(results[1].reason, WorkError);
  assertEquals([results[1].reason.reason, results[1].reason.item], ["task", bad]);
});

const USELESS: readonly (readonly [string | URL, string, RegExp])[] = [
  [new URL("fixtures/missing.ts", import.meta.url), "default", /Module not found.*missing\.ts/],
  [module("export default function ("), "default", /SyntaxError/],
  [
    module("throw new Error('on load')"),
    "default",
    /the module or its setup\(\) threw Error: on load$/,
  ],
  [module("export const a = 1"), "default", /the module has no export 'default', but 'a'$/],
  [module(""), "default", /the module has no export 'default'$/],
  [module("export default undefined"), "default", /the module has no export 'default'$/],
  [module("export default class {}"), "default", /must be a function: current value is a class$/],
  [
    module("Promise.reject('stray'); export default () => {}"),
    "default",
    /an error that nobody caught, the text "stray"$/,
  ],
  [
    module("import process from 'node:process'; process.exit(3)"),
    "default",
    /the worker ended with exit code 3 before it was ready$/,
  ],
  [WORK, "missing", /the module has no export 'missing', but 'busy', /],
  [
    WORK,
    "notAFunction",
    /the export 'notAFunction' of the module must be a function: current value is 1$/,
  ],
  [
    module("export default () => 1; export function setup() { throw 'no model'; }"),
    "default",
    /the module or its setup\(\) threw the text "no model"$/,
  ],
  [
    module("export const many = (tasks) => tasks, atOnce = 0"),
    "default",
    /the export 'atOnce' of the module must be a positive integer: current value is 0$/,
  ],
];

for (const [url, name, message] of USELESS) {
  Deno.test(`WorkPool reads nothing if its module is of no use: ${message.source}`, {
    ignore,
  }, async () => {
    await using pool = new WorkPool(url, { export: name as "default", workers: 2 });
    let read = 0;
    const items = function* () {
      yield read++;
    };
    const uses = [
      () => pool.start(),
      () => Array.fromAsync(pool.map(items())),
      () => pool.run(1 as never),
    ];
    for (const use of uses) {
      const error = await rejection(use());
      assertInstanceOf(error, WorkerStartError);
      assertMatch(error.message, /^Cannot compute anything as no worker could be started: /);
      assertMatch(error.message, message);
    }
    assertEquals(read, 0);
  });
}

Deno.test("WorkPool gives up on a module that is not ready in time", { ignore }, async () => {
  const source = "export const setup = () => new Promise(() => setInterval(() => {}, 1000));" +
    "export default () => 1;";
  await using pool = new WorkPool(module(source), { workers: 1, startTimeout: 500 });
  const error = await rejection(pool.start());
  assertInstanceOf(error, WorkerStartError);
  assertMatch(error.message, /the worker was not ready within 0\.5 s$/);
});

Deno.test("WorkPool sets up each worker with its data, and tears it down when it is closed", {
  ignore,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const source = `import { writeFileSync } from "node:fs";
      let base;
      export const setup = async (data) => { await 1; base = data.base; };
      export default (n) => base + n;
      export const teardown = async () => {
        await 1;
        writeFileSync(${JSON.stringify(folder + "/")} + crypto.randomUUID(), "");
      };`;
    const pool = new WorkPool<{ default(n: number): number; setup(data: { base: number }): void }>(
      module(source),
      { workers: 1, data: { base: 40 } },
    );
    assertEquals(await pool.run(2), 42);
    await pool.close();
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

interface Many {
  many(tasks: readonly number[]): readonly (number | Error)[];
}

Deno.test(
  "WorkPool has many() compute several items at once, and no more than atOnce",
  { ignore },
  async () => {
    const source = `export const atOnce = 3;
    export const many = (tasks) => tasks.map((task) => 100 * tasks.length + task);`;
    await using pool = new WorkPool<Many>(module(source), { workers: 1 });
    const results = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => pool.run(n)));
    const groups = results.map((result) => Math.floor(result / 100));
    assertEquals(results.map((result) => result % 100), [1, 2, 3, 4, 5, 6, 7, 8]);
    assertEquals(Math.max(...groups), 3);
  },
);

Deno.test("WorkPool computes together only what is of one kind", { ignore }, async () => {
  const source = `export const kindOf = (n) => n % 2;
    export const many = (tasks) => tasks.map(() => tasks.map((n) => n % 2).join(""));
    export const atOnce = 4;`;
  await using pool = new WorkPool<{ many(tasks: readonly number[]): string[] }>(module(source), {
    workers: 1,
  });
  const results = await Promise.all([2, 4, 1, 3, 5, 6].map((n) => pool.run(n)));
  for (const [i, kind] of ["0", "0", "1", "1", "1", "0"].entries()) {
    assertMatch(results[i], new RegExp(`^${kind}+$`));
  }
  assert(results.some((result) => result.length > 1), results.join());
});

for (
  const [how, poison] of [
    ["throws", "throw new Error('bad')"],
    ["gives too few results", "return []"],
    ["loops", "for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)"],
    ["exits", "process.exit(1)"],
    ["gives an Error", "return tasks.map((task) => task < 0 ? new RangeError('bad') : task)"],
  ]
) {
  Deno.test(`WorkPool finds the item of which many() ${how}`, { ignore }, async () => {
    const source = `import process from "node:process";
      export const atOnce = 4;
      export function many(tasks) {
        if (tasks.some((task) => task < 0)) { ${poison} }
        return tasks;
      }`;
    await using pool = new WorkPool<Many>(module(source), { workers: 1, timeout: 300 });
    const items = [1, 2, 3, -4, 5, 6, 7, 8];
    const results = await Promise.allSettled(items.map((n) => pool.run(n)));
    const failed = results.flatMap(({ status }, i) => status === "rejected" ? items[i] : []);
    assertEquals(failed, [-4]);
  });
}

Deno.test("WorkPool moves what is in transfer, to the worker and back", { ignore }, async () => {
  const buffers = [1, 2, 3].map((size) => new ArrayBuffer(size));
  const sizes = await Promise.all(
    buffers.map((buffer) => hardy!.run({ do: "size", buffer }, { transfer: [buffer] })),
  );
  assertEquals(sizes, [1, 2, 3]);
  assert(buffers.every(({ detached }) => detached));

  const source = `let last;
    export default (size) => last === undefined || last.buffer.detached
      ? last = new Uint8Array(size) : "it was copied";
    export const transfer = (result) => [result.buffer];`;
  await using back = new WorkPool<{ default(size: number): Uint8Array }>(module(source), {
    workers: 1,
  });
  assertEquals((await back.run(5)).length, 5);
  assertEquals((await back.run(6)).length, 6);
});

Deno.test("WorkPool.map() moves what transfer() lists of each item", { ignore }, async () => {
  await using pool = new WorkPool<Work>(WORK, { workers: 2 });
  const buffers = [1, 2, 3].map((size) => new ArrayBuffer(size));
  const results = await Array.fromAsync(pool.map(buffers, {
    task: (buffer): Order => ({ do: "size", buffer }),
    transfer: (order) => typeof order === "number" ? [] : [order.buffer!],
    ordered: true,
  }));
  assertEquals(results.map(({ result }) => result), [1, 2, 3]);
  assert(buffers.every(({ detached }) => detached));
});

Deno.test("WorkPool rejects at once when aborted, ends what would take for ever, and goes on", {
  ignore,
}, async () => {
  await using pool = new WorkPool<Work>(WORK, { workers: 1 });
  await pool.start();
  const controller = new AbortController();
  const long = pool.run({ do: "block" }, { signal: controller.signal });
  const after = pool.run(1);
  while (pool.size > 0) await settle();
  assert(await isPending(after));
  controller.abort();
  assertStrictEquals(await rejection(long), controller.signal.reason);
  assertEquals(await after, 2);
});

Deno.test("WorkPool.map() computes on real workers, in order, cheap items and dear ones", {
  ignore,
}, async () => {
  await using pool = new WorkPool<Work>(WORK, { workers: 2 });
  const orders = Array.from(
    { length: 5000 },
    (_, i): Order => i % 500 === 7 ? { do: "busy", n: 5 } : i,
  );
  const results = await Array.fromAsync(pool.map(orders, { ordered: true }));
  assertEquals(results.map(({ item }) => item), orders);
  assertEquals(
    results.map(({ result }) => result),
    orders.map((o) => typeof o === "number" ? 2 * o : 5),
  );
});

Deno.test("WorkPool ends its threads in the middle of endless work", { ignore }, async () => {
  const pool = new WorkPool<Work>(WORK, { workers: 2 });
  await pool.start();
  const results = [1, 2, 3, 4].map(() => rejection(pool.run({ do: "loop" })));
  while (pool.size > 0) await settle();
  await pool[Symbol.asyncDispose]();
  for (const error of await Promise.all(results)) assertInstanceOf(error, PoolClosedError);
});

Deno.test("WorkPool.abort() rejects with its reason", { ignore }, async () => {
  const pool = new WorkPool<Work>(WORK, { workers: 1 });
  const result = rejection(pool.run(1));
  const reason = new Error("Enough");
  await pool.abort(reason);
  assertStrictEquals(await result, reason);
});

Deno.test(
  "WorkPool tells when each item was computed, and in which worker",
  { ignore },
  async () => {
    const spans: [unknown, number, number][] = [];
    const began = performance.now();
    await using pool = new WorkPool<Work, "busy">(WORK, {
      workers: 1,
      export: "busy",
      onComputed: ({ result, worker, start, end }) => {
        assertEquals(worker, 0);
        spans.push([result, start, end]);
      },
    });
    await Promise.all([pool.run(4), pool.run(2)]);
    const ended = performance.now();
    assertEquals(spans.map(([result]) => result), [4, 2]);
    const times = spans.flatMap(([_, start, end]) => [start, end]);
    // The clocks of two threads differ by microseconds.
    assert(times[0] > began - 1 && times[3] < ended + 1, `${began} ${times} ${ended}`);
    assertEquals(times, times.toSorted((a, b) => a - b));
    assert(times[1] - times[0] >= 4 && times[3] - times[2] >= 2);
  },
);

Deno.test(
  "WorkPool, runPipeline() and AsyncBatcher refuse a signal that is none",
  { ignore },
  async () => {
    await using pool = new WorkPool(new URL("data:text/javascript,export default 0"), {
      workers: 1,
    });
    const options = { signal: {} as AbortSignal };
    const sentence = "as 'signal' must be an AbortSignal: current value is an object";
    await assertRejects(() => pool.run(1 as never, options), TypeError, sentence);
    await assertRejects(
      () => Array.fromAsync(pool.map([1], options as never)),
      TypeError,
      sentence,
    );
    const working = { compute: () => Promise.resolve(1), sink: async () => {}, ...options };
    await assertRejects(() => runPipeline([1], working), TypeError, sentence);
    assertThrows(() => new AsyncBatcher(async () => {}, options), TypeError, sentence);
  },
);
