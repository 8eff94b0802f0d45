import { AsyncBatcher, type AsyncBatcherOptions } from "../../batcher.ts";
import { CONNECTIONS, type Peer, type Sink } from "./peer.ts";

export const burst: Peer = {
  name: "Burst",
  setup:
    `\`AsyncBatcher\` and \`postgresWriter\` with their defaults: 500 rows a batch, a batch in flight for each of ${CONNECTIONS} connections, no delay`,
  batches: true,
  start: (sink) => start(sink, { maxInFlight: CONNECTIONS }),
};

/** The batcher alone: all else is as the others have it. */
export const burstWithTheirStatement: Peer = {
  name: "Burst, the others' INSERT",
  setup: "the same, with the others' INSERT instead of `postgresWriter`",
  batches: true,
  start: burst.start,
};

function start<T>(sink: Sink<T>, options: AsyncBatcherOptions<T>): (row: T) => Promise<unknown> {
  const batcher = new AsyncBatcher<T, unknown>(
    (rows, batch) => sink.saveMany(rows, batch),
    options,
  );
  return (row) => batcher.add(row);
}
