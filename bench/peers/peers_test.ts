/** The benchmark is worth nothing where a peer is set up in a way that loses rows. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { addAll, queueAll } from "./cost.ts";
import { CONCURRENCY, MAX_ITEMS, type Sink, WAIT } from "./peer.ts";
import { PEERS } from "./peers.ts";

/** A sink that keeps what it is given, and answers a turn of the event loop later. */
class Store implements Sink<number> {
  readonly saved: number[] = [];
  readonly sizes: number[] = [];
  inFlight = 0;
  mostInFlight = 0;
  refused: number | undefined;

  async saveMany(items: readonly number[]): Promise<void> {
    this.sizes.push(items.length);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    await new Promise<void>((resolve) => void setTimeout(resolve, 0));
    this.inFlight--;
    if (items.some((item) => item === this.refused)) throw new Error("refused");
    this.saved.push(...items);
  }

  saveOne(item: number): Promise<void> {
    return this.saveMany([item]);
  }
}

/** Some peers leave timers behind that do nothing any more. */
function settle(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 5 * WAIT));
}

const batching = PEERS.filter(({ batches }) => batches);
const limiting = PEERS.filter(({ batches }) => !batches);

for (const peer of PEERS) {
  Deno.test(`${peer.name} saves every row exactly once`, async () => {
    const store = new Store();
    const save = peer.start(store);
    const items = Array.from({ length: 3 * MAX_ITEMS + 7 }, (_, i) => i);
    await Promise.all(items.map(save));
    assertEquals(store.saved.toSorted((a, b) => a - b), items);
    await settle();
  });

  Deno.test(`${peer.name} settles each row once it is saved, and not before`, async () => {
    const store = new Store();
    const save = peer.start(store);
    await Promise.all(
      Array.from({ length: 2 * MAX_ITEMS + 1 }, async (_, item) => {
        await save(item);
        assert(store.saved.includes(item), `${item} was settled too early`);
      }),
    );
    await settle();
  });

  Deno.test(`${peer.name} rejects a row that is not saved, and goes on`, async () => {
    const store = new Store();
    const save = peer.start(store);
    store.refused = 1;
    await assertRejects(() => save(1), Error, "refused");
    await save(2);
    assertEquals(store.saved, [2]);
    await settle();
  });

  Deno.test(`addAll() counts what ${peer.name} sends`, async () => {
    assertEquals(await addAll(peer, 2 * MAX_ITEMS), 2 * MAX_ITEMS);
    await settle();
  });
}

for (const peer of batching) {
  Deno.test(`${peer.name} sends full batches`, async () => {
    const store = new Store();
    await Promise.all(Array.from({ length: 4 * MAX_ITEMS }, (_, i) => i).map(peer.start(store)));
    assertEquals(store.sizes, Array(4).fill(MAX_ITEMS));
    await settle();
  });
}

for (const peer of limiting) {
  Deno.test(`${peer.name} keeps as many saves out as it may`, async () => {
    const store = new Store();
    await Promise.all(Array.from({ length: 3 * CONCURRENCY }, (_, i) => i).map(peer.start(store)));
    assertEquals(store.mostInFlight, CONCURRENCY);
    assertEquals(store.sizes, Array(3 * CONCURRENCY).fill(1));
  });
}

for (const peer of PEERS) {
  Deno.test(`queueAll() has ${peer.name} send all once it is answered`, async () => {
    assertEquals(await queueAll(peer, 1_200).release(), 1_200);
    await settle();
  });
}
