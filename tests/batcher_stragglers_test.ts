import { assert, assertEquals } from "@std/assert";
import { AsyncBatcher, type Send } from "../batcher.ts";
import { fakeClock } from "./_helpers.ts";

function busy(): Error {
  return Object.assign(new Error("busy"), { retryable: true });
}

/** A send function that takes so many milliseconds, and has some items tried again. */
function slowSend(latency: number, isBusy: (item: number, attempt: number) => boolean) {
  const send: Send<number, number> = async (items, { attempt }) => {
    await new Promise((resolve) => setTimeout(resolve, latency));
    return items.map((item) => isBusy(item, attempt) ? busy() : item);
  };
  return send;
}

Deno.test("AsyncBatcher tells of all but the straggler within the time of one attempt", async () => {
  using clock = fakeClock();
  const start = performance.now();
  const batcher = new AsyncBatcher(slowSend(10, (item) => item === 77), {
    maxItems: 500,
    retry: { maxAttempts: 5, minDelay: 1_000, maxDelay: 1_000 },
  });
  const toldAt: number[] = [];
  for (let i = 0; i < 500; i++) {
    const told = () => void (toldAt[i] = performance.now() - start);
    batcher.add(i).then(told, told);
  }
  await clock.tickAsync(10);
  assertEquals(toldAt.length, 500);
  assertEquals(toldAt.filter((at) => at === 10).length, 499);
  await clock.tickAsync(10_000);
  assert(toldAt[77] > 10);
  assertEquals((await batcher.close()).failed, 1);
});

Deno.test("AsyncBatcher keeps four fifths of its throughput where every tenth item is tried again", async () => {
  using clock = fakeClock();
  async function savedWithin(ms: number, isBusy: () => boolean): Promise<number> {
    const batcher = new AsyncBatcher(slowSend(5, isBusy), {
      maxItems: 50,
      retry: { maxAttempts: Infinity },
    });
    let saved = 0, isOver = false;
    const producer = (async () => {
      for (let i = 0; !isOver; i++) {
        batcher.add(i).then(() => saved++, () => {});
        await batcher.ready;
      }
    })();
    for (let t = 0; t < ms; t += 5) await clock.tickAsync(5);
    isOver = true;
    const inTime = saved;
    void batcher.abort();
    await producer;
    return inTime;
  }
  let sent = 0;
  const without = await savedWithin(3_000, () => false);
  const withRefusals = await savedWithin(3_000, () => ++sent % 10 === 0);
  const ratio = withRefusals / without;
  assert(ratio >= 0.8, `${withRefusals} of ${without}: ${ratio}`);
});
