import type { StoredMsg } from "@nats-io/jetstream";
import type { Message } from "./job_source.ts";
import { CONSUMER, type Streams } from "./streams.ts";

/**
 * Finds jobs that the stream still has, and will deliver to nobody.
 *
 * A server that ends without a warning may forget that it has deleted a job, and remember that the
 * job was acknowledged (seen with nats-server 2.9; its issues tell of more such ways, up to 2.12).
 * Nothing of that says whether the row is there, so such a job is done like any other: what is in the
 * table is skipped. To acknowledge it is to delete it.
 */
export async function findLeftovers(streams: Streams, limit: number): Promise<Message[]> {
  const { manager, name, jobs } = streams;
  const { state: { messages, first_seq: first } } = await manager.streams.info(name);
  if (messages === 0) return [];
  const consumer = await manager.consumers.info(name, CONSUMER);
  // What waits, or is in somebody's hand, comes by itself.
  if (consumer.num_pending + consumer.num_ack_pending > 0) return [];
  const last = consumer.ack_floor.stream_seq;
  const found: Message[] = [];
  for (let seq = first; seq <= last && found.length < limit;) {
    // The server knows this, and the types of the client do not: the first one from there on.
    const query = { seq, next_by_subj: jobs } as { seq: number };
    const stored = await manager.streams.getMessage(name, query);
    if (stored === null || stored.seq > last) break;
    found.push(asMessage(stored, () => manager.streams.deleteMessage(name, stored.seq)));
    seq = stored.seq + 1;
  }
  return found;
}

function asMessage(stored: StoredMsg, remove: () => Promise<boolean>): Message {
  return {
    data: stored.data,
    headers: stored.header,
    seq: stored.seq,
    info: { deliveryCount: 1 },
    // Another worker may have removed it. If it is still there, it is found again.
    ack: () => void remove().catch(() => {}),
    nak() {},
    working() {},
  };
}
