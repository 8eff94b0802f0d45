import { assertEquals } from "@std/assert";
import { AsyncBatcher, type BatchReport, type Sink } from "../batcher.ts";
import { stillClock } from "./_helpers.ts";

/** A sink that is a class, and keeps the sizes of its batches. */
class SizesSink implements Sink<number> {
  readonly sizes: number[] = [];
  readonly defaults = { maxItems: 2, retry: { maxAttempts: 3 } };

  send(items: readonly number[]): Promise<void> {
    this.sizes.push(items.length);
    return Promise.resolve();
  }
}

async function sizesOf(options: ConstructorParameters<typeof AsyncBatcher<number>>[1]) {
  using _clock = stillClock();
  const sink = new SizesSink();
  await using batcher = new AsyncBatcher(sink, options);
  await Promise.all([1, 2, 3, 4, 5].map((item) => batcher.add(item)));
  return sink.sizes;
}

Deno.test("AsyncBatcher takes a sink whole, with its defaults", async () => {
  assertEquals(await sizesOf({}), [2, 2, 1]);
});

Deno.test("AsyncBatcher takes its own options before the defaults of the sink", async () => {
  assertEquals(await sizesOf({ maxItems: 4 }), [4, 1]);
});

Deno.test("AsyncBatcher takes an undefined option for one that was not given", async () => {
  assertEquals(await sizesOf({ maxItems: undefined }), [2, 2, 1]);
});

Deno.test("AsyncBatcher retries as the defaults of the sink say", async () => {
  const attempts: number[] = [];
  const batcher = new AsyncBatcher<number>({
    send: () => Promise.reject(new Error("The sink is full")),
    defaults: { retry: { maxAttempts: 2, minDelay: 0 } },
  }, { onBatch: ({ attempt }: BatchReport) => attempts.push(attempt) });
  await batcher.push(1);
  assertEquals((await batcher.close()).failed, 1);
  assertEquals(attempts, [1, 2]);
});
