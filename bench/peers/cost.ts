import type { Peer } from "./peer.ts";

/** Items that are added in one go, all of whose promises are then awaited. */
export const COUNTS = [1_000, 16_000, 100_000, 1_000_000] as const;

/**
 * Adds items to a sink that does nothing: what is left is the cost of the peer itself.
 *
 * @returns How many items were sent.
 */
export async function addAll(peer: Peer, count: number): Promise<number> {
  let sent = 0;
  const add = peer.start<number>({
    saveMany(items) {
      sent += items.length;
      return Promise.resolve();
    },
    saveOne() {
      sent++;
      return Promise.resolve();
    },
  });
  const added = new Array<Promise<unknown>>(count);
  for (let i = 0; i < count; i++) added[i] = add(i);
  await Promise.all(added);
  return sent;
}

/**
 * Adds items to a sink that does not answer before it is told to: what is there is what the peer keeps.
 *
 * @returns The way to let the sink answer, with how many items were sent.
 */
export function queueAll(peer: Peer, count: number): { release(): Promise<number> } {
  let sent = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const add = peer.start<number>({
    saveMany(items) {
      sent += items.length;
      return promise;
    },
    saveOne() {
      sent++;
      return promise;
    },
  });
  const added = new Array<Promise<unknown>>(count);
  for (let i = 0; i < count; i++) added[i] = add(i);
  return {
    async release() {
      resolve();
      await Promise.all(added);
      return sent;
    },
  };
}
