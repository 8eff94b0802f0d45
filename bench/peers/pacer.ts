import { AsyncBatcher } from "@tanstack/pacer";
import { MAX_ITEMS, type Peer, type Sink, WAIT } from "./peer.ts";

/**
 * The promise of `addItem()` does not stand for its item: it settles after `wait`, or, for the item
 * that filled a batch, with that batch. So each item carries its own.
 */
interface Waiting<T> {
  readonly row: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export const pacer: Peer = {
  name: "@tanstack/pacer",
  setup:
    `\`AsyncBatcher\` with \`maxSize: ${MAX_ITEMS}, wait: ${WAIT}\`, each item with a promise of its own`,
  batches: true,
  start<T>(sink: Sink<T>) {
    const batcher = new AsyncBatcher<Waiting<T>>(
      (batch) => sink.saveMany(batch.map(({ row }) => row)),
      {
        maxSize: MAX_ITEMS,
        wait: WAIT,
        onSuccess: (_result, batch) => batch.forEach(({ resolve }) => resolve()),
        onError: (error, batch) => batch.forEach(({ reject }) => reject(error)),
      },
    );
    return (row: T) =>
      new Promise<void>((resolve, reject) => void batcher.addItem({ row, resolve, reject }));
  },
};
