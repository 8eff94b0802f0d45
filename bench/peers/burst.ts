import { AsyncBatcher, type AsyncBatcherOptions } from "../../batcher.ts";
import { CONNECTIONS, type Peer, type Sink } from "./peer.ts";

export const burst: Peer = {
  name: "Burst",
  setup:
    "`AsyncBatcher` and `postgresWriter` with their defaults: 500 rows a batch, 4 batches in flight, no delay",
  batches: true,
  start: (sink) => start(sink, {}),
};

/** As the others have no limit, or one that fits the connections. */
export const burstOnAllConnections: Peer = {
  name: "Burst on all connections",
  setup: `the same with \`maxInFlight: ${CONNECTIONS}\`, a batch for each connection`,
  batches: true,
  start: (sink) => start(sink, { maxInFlight: CONNECTIONS }),
};

/** The batcher alone: all else is as the others have it. */
export const burstWithTheirStatement: Peer = {
  name: "Burst, the others' INSERT",
  setup: "the same, with the others' INSERT instead of `postgresWriter`",
  batches: true,
  start: burstOnAllConnections.start,
};

function start<T>(sink: Sink<T>, options: AsyncBatcherOptions<T>): (row: T) => Promise<unknown> {
  const batcher = new AsyncBatcher<T, unknown>(
    (rows, batch) => sink.saveMany(rows, batch),
    options,
  );
  return (row) => batcher.add(row);
}
