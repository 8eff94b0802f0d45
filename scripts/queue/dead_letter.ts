import type { JetStreamClient } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { Message } from "./job_source.ts";
import { HEADERS } from "./streams.ts";

/** Milliseconds that the server may take to store it. */
const TIMEOUT = 5_000;

/** What fits into a header: one of somebody else's may be as large as a message. */
const MAX_HEADER = 50;
const MAX_REASON = 250;

/** Bytes that the headers take at most, with their names; enqueue.ts leaves as many. */
export const HEADERS_SIZE = 512;

/**
 * Publishes a job that can never succeed as a dead letter: as sealed as it came, with the reason. It is
 * still in the queue until that is acknowledged. What is too large with the reason is cut, and its
 * size told. That happens to no job of enqueue.ts, unless the server's limit was lowered.
 *
 * @throws If the server does not store it.
 */
export async function sendDeadLetter(
  client: Pick<JetStreamClient, "publish">,
  subject: string,
  { message, reason, maxBytes }: { message: Message; reason: string; maxBytes: number },
): Promise<void> {
  const { data, info: { deliveryCount }, seq } = message;
  const head = headers();
  const set = (name: string, value: string, length = MAX_HEADER) =>
    // A header is a line.
    head.set(name, value.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, length));
  const key = message.headers?.get(HEADERS.key);
  if (key) set(HEADERS.key, key);
  set(HEADERS.reason, reason, MAX_REASON);
  set(HEADERS.deliveries, String(deliveryCount));
  const room = Math.max(0, maxBytes - HEADERS_SIZE);
  const fits = data.length <= room;
  if (!fits) set(HEADERS.size, String(data.length));
  const name = message.headers?.get(HEADERS.id) || "job";
  const msgID = `${name.replaceAll(/[^\x21-\x7e]+/g, "").slice(0, MAX_HEADER)}-${seq}`;
  const body = fits ? data : data.subarray(0, room);
  await client.publish(subject, body, { msgID, headers: head, timeout: TIMEOUT });
}
