import { burst, burstWithTheirStatement } from "./burst.ts";
import { dataloader } from "./dataloader.ts";
import { handWritten } from "./hand_written.ts";
import { pacer } from "./pacer.ts";
import type { Peer } from "./peer.ts";
import { pLimiter } from "./p_limit.ts";
import { pQueue } from "./p_queue.ts";

/** All that are compared. The first is what the others are measured against. */
export const PEERS: readonly Peer[] = [
  burst,
  burstWithTheirStatement,
  handWritten,
  dataloader,
  pacer,
  pLimiter,
  pQueue,
];

/** Whether it differs from another of them only where there is a database. */
export function needsDatabase(peer: Peer): boolean {
  return peer === burstWithTheirStatement;
}
