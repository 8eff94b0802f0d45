import type { JetStreamClient } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { Message } from "./job_source.ts";
import { HEADERS } from "./streams.ts";

/** Milliseconds that the server may take to store it. */
const TIMEOUT = 5_000;

/**
 * Publishes a job that can never succeed as a dead letter: as sealed as it came, with the reason. It is
 * still in the queue until that is acknowledged.
 *
 * @throws If the server does not store it.
 */
export async function sendDeadLetter(
  client: JetStreamClient,
  subject: string,
  { message, reason }: { message: Message; reason: string },
): Promise<void> {
  const head = headers();
  for (const name of [HEADERS.key]) {
    const value = message.headers?.get(name);
    if (value) head.set(name, value);
  }
  // A header is a line.
  head.set(HEADERS.reason, reason.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, 500));
  head.set(HEADERS.deliveries, String(message.info.deliveryCount));
  const msgID = `${message.headers?.get(HEADERS.id) || "job"}-${message.seq}`;
  await client.publish(subject, message.data, { msgID, headers: head, timeout: TIMEOUT });
}
