import DataLoader from "dataloader";
import { MAX_ITEMS, type Peer, type Sink } from "./peer.ts";

export const dataloader: Peer = {
  name: "dataloader",
  setup: `\`maxBatchSize: ${MAX_ITEMS}\`, and \`cache: false\` as every row is to be saved`,
  batches: true,
  start<T>(sink: Sink<T>) {
    const loader = new DataLoader<T, unknown>(
      async (rows) => {
        await sink.saveMany(rows);
        return rows;
      },
      { maxBatchSize: MAX_ITEMS, cache: false },
    );
    return (row: T) => loader.load(row);
  },
};
