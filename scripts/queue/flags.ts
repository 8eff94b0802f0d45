import { integer, text } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";

/** The flags of every script that talks to NATS. */
export const NATS_FLAGS = {
  nats: text("URL", "where NATS is, as nats://host:4222; several with commas between them"),
  creds: text("FILE", "credentials of a user, as nsc makes them"),
  "tls-ca": text("FILE", "certificates of who may vouch for the server; makes TLS a must"),
  stream: {
    ...text("NAME", "stream of the jobs; what is dead goes to NAME-dead", "burst"),
    parse(text: string) {
      if (/^[\w-]+$/.test(text)) return text;
      throw new UsageError(`must be letters, digits, _ and -: it is '${text}'`);
    },
  },
};

/** The flags of those that may make the stream. */
export const STREAM_FLAGS = {
  replicas: integer("servers that each keep a copy of a stream that is created", 1, { max: 5 }),
  "dedup-window": integer(
    "seconds in which a stream that is created knows jobs again",
    3_600,
    { placeholder: "SECONDS" },
  ),
};

/** Refuses to go on without a flag. */
export function required(value: string | undefined, flag: string, what: string): string {
  if (value !== undefined) return value;
  throw new UsageError(`Cannot run this as it needs ${what}: see --${flag}`);
}
