import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { AsyncBatcher, type AsyncBatcherOptions, type Send } from "../batcher.ts";
import { rejection, settle } from "./_helpers.ts";

function fine(): Promise<void> {
  return Promise.resolve();
}

Deno.test("AsyncBatcher refuses a number that is out of range", () => {
  const cases: [AsyncBatcherOptions<number>, string][] = [
    [{ maxItems: 0 }, "'maxItems' must be a positive integer or Infinity: current value is 0"],
    [{ maxItems: 1.5 }, "'maxItems' must be a positive integer or Infinity: current value is 1.5"],
    [
      { maxInFlight: -1 },
      "'maxInFlight' must be a positive integer or Infinity: current value is -1",
    ],
    [
      { maxQueued: NaN },
      "'maxQueued' must be a positive integer or Infinity: current value is NaN",
    ],
    [
      { maxBytes: 0, sizeOf: () => 1 },
      "'maxBytes' must be a positive integer or Infinity: current value is 0",
    ],
    [
      { linger: Infinity },
      "'linger' must be a number of milliseconds from 0 to 2147483647: current value is Infinity",
    ],
    [
      { timeout: 0 },
      "'timeout' must be a number of milliseconds from 1 to 2147483647: current value is 0",
    ],
    [
      { retry: { maxAttempts: 0 } },
      "'retry.maxAttempts' must be a positive integer or Infinity: current value is 0",
    ],
    [
      { retry: { minDelay: -1 } },
      "'retry.minDelay' must be a number of milliseconds from 0 to 2147483647: current value is -1",
    ],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(() => new AsyncBatcher<number>(fine, options), RangeError);
    assertEquals(error.message, `Cannot create a batcher as ${message}`);
  }
});

Deno.test("AsyncBatcher refuses options of the wrong type, and maxBytes without sizeOf", () => {
  const cases: [unknown, unknown, string][] = [
    ["no", {}, "'sink' must be a function or have a function 'send': current value is a string"],
    [fine, { sizeOf: 3 }, "'sizeOf' must be a function: current value is 3"],
    [fine, { onBatch: null }, "'onBatch' must be a function: current value is null"],
    [fine, { rateLimit: null }, "'rateLimit' must be an object: current value is null"],
    [
      fine,
      { rateLimit: { interval: 9, call: 1 } },
      "'rateLimit' needs 'calls' or 'items', or both",
    ],
    [fine, { retry: null }, "'retry' must be an object: current value is null"],
    [fine, { retry: true }, "'retry' must be an object: current value is true"],
    [fine, { idempotent: "false" }, "'idempotent' must be a boolean: current value is a string"],
    [fine, { failFast: 1 }, "'failFast' must be a boolean: current value is 1"],
    [fine, { maxBytes: 3 }, "'maxBytes' needs 'sizeOf', which is missing"],
  ];
  for (const [send, options, message] of cases) {
    const error = assertThrows(
      () => new AsyncBatcher(send as Send<number>, options as AsyncBatcherOptions<number>),
      TypeError,
    );
    assertEquals(error.message, `Cannot create a batcher as ${message}`);
  }
});

Deno.test("AsyncBatcher.add() says which way the send function was wrong", async () => {
  const prefix =
    "Cannot tell what became of a batch from the answer of the send function: it must ";
  const cases: [() => unknown, string, "failed" | "unknown"][] = [
    [
      () => {
        throw new Error("thrown at once");
      },
      "thrown at once",
      "failed",
    ],
    [() => undefined, `${prefix}return a promise: it returned undefined`, "unknown"],
    [() => [1, 2], `${prefix}return a promise: it returned an array of 2`, "unknown"],
    [
      () => Promise.resolve("saved"),
      `${prefix}resolve with an array or with nothing: it resolved with a string`,
      "unknown",
    ],
    [
      () => Promise.resolve(null),
      `${prefix}resolve with an array or with nothing: it resolved with null`,
      "unknown",
    ],
    [
      () => Promise.resolve([1]),
      `${prefix}resolve with one result per item: it resolved with 1 for a batch of 2`,
      "unknown",
    ],
    [
      () => Promise.resolve([1, 2, 3]),
      `${prefix}resolve with one result per item: it resolved with 3 for a batch of 2`,
      "unknown",
    ],
  ];
  for (const [send, message, outcome] of cases) {
    const batcher = new AsyncBatcher<number, number>(send as Send<number, number>);
    const errors = await Promise.all([1, 2].map((item) => rejection(batcher.add(item))));
    for (const error of errors) {
      assertInstanceOf(error, Error);
      assertEquals(error.message, message);
    }
    const account = await batcher.close();
    assertEquals(account, { added: 2, saved: 0, failed: 0, unknown: 0, unsent: 0, [outcome]: 2 });
  }
});

Deno.test("AsyncBatcher.add() refuses an item of which sizeOf tells no size", async () => {
  for (const size of [NaN, -1, Infinity, "three", undefined]) {
    const batcher = new AsyncBatcher<number>(fine, { sizeOf: () => size as number });
    const error = await rejection(batcher.add(1));
    assertInstanceOf(error, RangeError);
    assert(
      error.message.startsWith("Cannot add an item as 'sizeOf' must return a number of bytes"),
    );
    assertEquals((await batcher.close()).added, 0);
  }
});

Deno.test("AsyncBatcher.add() passes on what sizeOf throws, and goes on", async () => {
  const batcher = new AsyncBatcher<number>(fine, {
    sizeOf: (item) => {
      if (item === 1) throw new Error("cannot weigh 1");
      return 1;
    },
  });
  assertEquals((await rejection(batcher.add(1)) as Error).message, "cannot weigh 1");
  assertEquals((await rejection(batcher.push(1)) as Error).message, "cannot weigh 1");
  await batcher.add(2);
  assertEquals((await batcher.close()).saved, 1);
});

Deno.test("AsyncBatcher survives an onBatch hook that throws or rejects, and says so once", async () => {
  const said: unknown[][] = [];
  const { error } = console;
  console.error = (...args) => said.push(args);
  try {
    for (
      const onBatch of [() => Promise.reject(new Error("hook")), () => {
        throw new Error("hook");
      }]
    ) {
      said.length = 0;
      const batcher = new AsyncBatcher<number>(fine, { onBatch, maxItems: 1 });
      await batcher.add(1);
      await batcher.add(2);
      await settle();
      assertEquals(await batcher.close(), { added: 2, saved: 2, failed: 0, unknown: 0, unsent: 0 });
      assertEquals(said.map(([message]) => message), [
        "The 'onBatch' hook of a batcher threw; this is said only once:",
      ]);
    }
  } finally {
    console.error = error;
  }
});

Deno.test("AsyncBatcher survives an isRetryable that throws", async () => {
  const batcher = new AsyncBatcher<number>(() => Promise.reject(new Error("no")), {
    retry: {
      isRetryable: () => {
        throw new Error("predicate");
      },
    },
  });
  assertEquals((await rejection(batcher.add(1)) as Error).message, "no");
  await batcher.close();
});

Deno.test("AsyncBatcher causes no unhandled rejection beside the items' own promises", async () => {
  const unhandled: unknown[] = [];
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listener);
  try {
    const options = { linger: 1, timeout: 5 };
    const failing = new AsyncBatcher<number>(() => Promise.reject(new Error("no")), options);
    await failing.push(1);
    const hanging = new AsyncBatcher<number>(() => new Promise(() => {}), options);
    await hanging.push(1);
    await rejection(hanging.flush());
    await rejection(failing.flush());
    const late = new AsyncBatcher<number>(async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new Error("answered too late");
    }, options);
    await late.push(1);
    await rejection(late.flush());
    const aborted = new AsyncBatcher<number>(() => new Promise(() => {}), options);
    await aborted.push(1);
    await aborted.abort();
    await settle();
    assertEquals(unhandled, []);
  } finally {
    globalThis.removeEventListener("unhandledrejection", listener);
  }
});
