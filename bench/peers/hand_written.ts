import { HandWritten } from "../hand_written.ts";
import { MAX_ITEMS, type Peer, type Sink, WAIT } from "./peer.ts";

export const handWritten: Peer = {
  name: "by hand",
  setup: `an array that is sent at ${MAX_ITEMS} rows, or by a \`setTimeout\` of ${WAIT} ms`,
  batches: true,
  start<T>(sink: Sink<T>) {
    const batcher = new HandWritten<T>((rows) => sink.saveMany(rows), {
      maxItems: MAX_ITEMS,
      delay: WAIT,
    });
    return (row: T) => batcher.add(row);
  },
};
