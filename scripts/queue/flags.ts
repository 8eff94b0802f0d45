import { integer, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";

/** The flags of every script that talks to NATS. */
export const NATS_FLAGS = {
  nats: text("URL", "NATS server, as nats://host:4222; separate several with commas"),
  creds: text("FILE", "NATS credentials file, as made by nsc"),
  "tls-ca": text("FILE", "CA certificates to verify the server with; requires TLS"),
  stream: {
    ...text("NAME", "stream of the jobs; failed ones move to NAME-dead", "burst"),
    parse(text: string) {
      if (/^[\w-]+$/.test(text)) return text;
      throw new UsageError(`must consist of letters, digits, _ and -, not be '${text}'`);
    },
  },
};

export const CREATE_STREAM = toggle("create the stream if it is missing");

/** The flags of those that may make the stream. */
export const STREAM_FLAGS = {
  replicas: integer("with --create-stream: servers that keep a copy", 1, { max: 5 }),
  "dedup-window": integer(
    "with --create-stream: how long NATS remembers jobs to drop duplicates",
    3_600,
    { placeholder: "SECONDS" },
  ),
};

/** Refuses to go on without a flag. */
export function required(value: string | undefined, flag: string, what: string): string {
  if (value !== undefined) return value;
  throw new UsageError(`Cannot run this without ${what}: name it with --${flag}`);
}
