import pLimit from "p-limit";
import { CONCURRENCY, type Peer, type Sink } from "./peer.ts";

export const pLimiter: Peer = {
  name: "p-limit",
  setup: `\`concurrency: ${CONCURRENCY}\` around single INSERTs`,
  batches: false,
  start<T>(sink: Sink<T>) {
    const limit = pLimit(CONCURRENCY);
    return (row: T) => limit(() => sink.saveOne(row));
  },
};
