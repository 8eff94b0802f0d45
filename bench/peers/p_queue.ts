import PQueue from "p-queue";
import { CONCURRENCY, type Peer, type Sink } from "./peer.ts";

export const pQueue: Peer = {
  name: "p-queue",
  setup: `\`concurrency: ${CONCURRENCY}\` around single INSERTs`,
  batches: false,
  start<T>(sink: Sink<T>) {
    const queue = new PQueue({ concurrency: CONCURRENCY });
    return (row: T) => queue.add(() => sink.saveOne(row));
  },
};
