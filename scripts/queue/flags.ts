import { integer, text, toggle } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import type { NatsOptions } from "./connection.ts";

/** The flags of every script that talks to NATS. */
export const NATS_FLAGS = {
  nats: text("URL", "NATS server, as nats://host:4222, or several with commas; also NATS_URL"),
  creds: text("FILE", "NATS credentials file, as made by nsc; also NATS_CREDS"),
  "tls-ca": text("FILE", "CA certificates to verify the server with; also NATS_CA"),
  "tls-cert": text("FILE", "certificate of this client, for TLS; also NATS_CERT"),
  "tls-key": text("FILE", "private key of --tls-cert; also NATS_KEY"),
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

/** What the flags of NATS may also be given by, as for the program `nats`. */
const VARIABLES = {
  nats: "NATS_URL",
  creds: "NATS_CREDS",
  "tls-ca": "NATS_CA",
  "tls-cert": "NATS_CERT",
  "tls-key": "NATS_KEY",
} as const;

/**
 * How to connect to NATS, by the flags and what the environment adds. A password need not be in the
 * command line, which every user of the machine can read.
 *
 * @throws {UsageError} If there is too little.
 */
export function natsOptions(
  flags: { readonly [Name in keyof typeof VARIABLES]?: string },
  env = allowedEnv,
): NatsOptions {
  const { nats, ...files } = Object.fromEntries(
    Object.entries(VARIABLES).map(([flag, variable]) =>
      [flag, flags[flag as keyof typeof VARIABLES] ?? env(variable)] as const
    ),
  );
  if (nats === undefined) {
    throw new UsageError(
      "Cannot run this without a NATS server: name it with --nats or NATS_URL",
    );
  }
  if ((files["tls-cert"] === undefined) !== (files["tls-key"] === undefined)) {
    throw new UsageError("Cannot run this with only one of --tls-cert and --tls-key: name both");
  }
  const user = { user: env("NATS_USER"), password: env("NATS_PASSWORD"), token: env("NATS_TOKEN") };
  return { nats, ...files, ...user };
}

/** The environment, as far as this program may read it. */
function allowedEnv(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) || undefined : undefined;
}

/** Refuses to go on without a flag. */
export function required(value: string | undefined, flag: string, what: string): string {
  if (value !== undefined) return value;
  throw new UsageError(`Cannot run this without ${what}: name it with --${flag}`);
}
