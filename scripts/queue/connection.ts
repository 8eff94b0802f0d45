import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
} from "@nats-io/transport-node";
import { hostAndPort, parseAddress, type ParsedAddress } from "../cli/address.ts";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError, UsageError } from "../cli/run.ts";

/** How to connect to NATS. */
export interface NatsOptions {
  /** Addresses, with commas between them. */
  readonly nats: string;
  /** File with the credentials of a user. */
  readonly creds?: string;
  /** File with the certificates of who may vouch for the server. */
  readonly "tls-ca"?: string;
}

/** A connection to NATS, which is made anew whenever it breaks. */
export interface Nats extends AsyncDisposable {
  readonly connection: NatsConnection;
  /** Turns what NATS answered into a sentence for the user; passes on anything else. */
  explain(error: unknown): unknown;
}

/** How long what is published may take to be sent at the end, in milliseconds. */
const LAST_WORDS = 5_000;

/**
 * Connects to NATS.
 *
 * @throws {UsageError} If an address is none.
 * @throws {ScriptError} If there is no connection to be had. The message shows no password.
 */
export async function openNats(options: NatsOptions): Promise<Nats> {
  const servers = options.nats.split(",").map((text) => parseServer(text.trim()));
  const places = servers.flatMap(({ hosts }) =>
    hosts.map(({ name, port = 4222 }) => hostAndPort(name, port))
  );
  const shown = places.join(", ");
  const explain = (error: unknown) => explainError(error, shown);
  const settings: NodeConnectionOptions = {
    name: "burst",
    servers: places,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    timeout: 10_000,
    ...userOf(servers[0]),
  };
  if (options.creds !== undefined) {
    const content = await read(options.creds);
    // Otherwise it fails deep in the client, once the server asks for them.
    if (!/-----BEGIN NATS USER JWT-----/.test(new TextDecoder().decode(content))) {
      throw new ScriptError(
        `Cannot use the credentials in '${options.creds}' as there are none: make them with "nsc generate creds"`,
      );
    }
    settings.authenticator = credsAuthenticator(content);
  }
  const ca = options["tls-ca"];
  if (ca !== undefined) settings.tls = { ca: new TextDecoder().decode(await read(ca)) };
  else if (servers.some(({ protocol }) => protocol === "tls")) settings.tls = {};
  let connection: NatsConnection;
  try {
    connection = await connect(settings);
  } catch (error) {
    throw explain(error);
  }
  let connected = true;
  const watch = async () => {
    for await (const { type } of connection.status()) {
      if (type === "disconnect") connected = false;
      else if (type === "reconnect") connected = true;
    }
  };
  void watch();
  return {
    connection,
    explain,
    async [Symbol.asyncDispose]() {
      if (!connected) return void connection.close().catch(() => {});
      // What is published but not sent yet would be lost by closing.
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, LAST_WORDS);
      await Promise.race([connection.drain().catch(() => {}), late.promise]);
      clearTimeout(timer);
      // Drained without a server, it would go on looking for one, and the program would not end.
      void connection.close().catch(() => {});
    },
  };
}

function parseServer(text: string): ParsedAddress {
  const address = parseAddress(text.includes("://") ? text : `nats://${text}`, {
    source: "--nats",
    protocols: ["nats", "tls"],
    example: "nats://host:4222",
  });
  const { hosts, path, parameters } = address;
  if (hosts.length === 1 && hosts[0].name !== "" && path === "" && parameters.size === 0) {
    return address;
  }
  throw new UsageError("Cannot use --nats as it must be an address like nats://host:4222");
}

function userOf({ user, password }: ParsedAddress): NodeConnectionOptions {
  if (user === undefined || user === "") return {};
  return password === undefined ? { token: user } : { user, pass: password };
}

async function read(path: string): Promise<Uint8Array> {
  return await Deno.readFile(path).catch((error) => {
    throw new ScriptError(`Cannot read '${path}' as ${whyUnreadable(error)}`);
  });
}

/** Why NATS could not be used, by what the errors are called or say. */
const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED|connection refused/i, "nothing listens there: check --nats, and that it runs"],
  [/ENOTFOUND|EAI_AGAIN|failed to lookup/i, "there is no such host: check --nats"],
  [/AuthorizationError|authorization violation/i, "it does not let this user in: check --creds"],
  [/PermissionViolation/i, "this user may not do that: grant the right, or use other --creds"],
  [/certificate|self.signed|UnknownIssuer/i, "its certificate is not to be trusted: see --tls-ca"],
  [/before secure TLS connection/i, "the TLS handshake failed: check --tls-ca, and try again"],
  [/server does not support 'tls'|tls.*not/i, "it speaks no TLS: check --nats and --tls-ca"],
  [/JetStreamNotEnabled|jetstream not enabled/i, "JetStream is off: start it with -js"],
  [/TimeoutError|\btimeout\b/i, "it does not answer: check that the server runs, and try again"],
  [/ClosedConnection|DrainingConnection|ECONNRESET|EPIPE/i, "the connection broke: try again"],
];

function explainError(error: unknown, shown: string): unknown {
  if (!(error instanceof Error) || error instanceof ScriptError) return error;
  const { name, message, cause } = error;
  const text = `${name} ${message} ${cause instanceof Error ? cause.message : ""}`;
  const reason = REASONS.find(([pattern]) => pattern.test(text))?.[1];
  const isNats = /^(JetStream|Request|Protocol|Connection|NoResponders|Stream|Consumer)/.test(name);
  if (reason === undefined && !isNats) return error;
  return new ScriptError(`Cannot use NATS at ${shown} as ${reason ?? message}`);
}
