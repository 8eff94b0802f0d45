import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError,
} from "@nats-io/transport-node";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { hostAndPort, parseAddress, type ParsedAddress } from "../cli/address.ts";
import { whyUnreadable } from "../cli/files.ts";
import { printable } from "../cli/printable.ts";
import { ScriptError, UsageError } from "../cli/run.ts";
import { unlessAborted } from "../cli/unless_aborted.ts";
import { within } from "../cli/within.ts";

/** How to connect to NATS. */
export interface NatsOptions {
  /** Addresses, with commas between them. */
  readonly nats: string;
  /** File with the credentials of a user. */
  readonly creds?: string;
  /** File with the certificates of who may vouch for the server. */
  readonly "tls-ca"?: string;
  /** Files with the certificate of this client, and its private key. */
  readonly "tls-cert"?: string;
  readonly "tls-key"?: string;
  /** Who logs in, where the first address does not say. */
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
}

/** A connection to NATS, which is made anew whenever it breaks. */
export interface Nats extends AsyncDisposable {
  readonly connection: NatsConnection;
  /** The largest message that the server takes, in bytes. */
  readonly maxPayload: number;
  /** Resolves with the reason where this connection is of no more use, however long one waits. */
  readonly broken: Promise<ScriptError>;
  /** Turns what NATS answered into a sentence for the user; passes on anything else. */
  explain(error: unknown): unknown;
}

/** How long what is published may take to be sent at the end, in milliseconds. */
const LAST_WORDS = 5_000;

/** How a socket breaks: codes, or what TLS says. */
const BROKEN_SOCKET = /^(ECONNRESET|EPIPE|ERR_SSL_.*|received fatal alert: .*)$/;

/**
 * While it connects, the client has moments in which it listens to no error of its socket. One that
 * breaks right then would end the program.
 */
const ignoreBrokenSockets = (event: ErrorEvent) => {
  if (BROKEN_SOCKET.test(event.error?.code ?? event.error?.message)) event.preventDefault();
};

/** What nobody answers who asks for it, where it is not allowed. */
const UNANSWERED = /^\$JS\.(ACK|API\.CONSUMER\.MSG\.NEXT)\./;

/**
 * Connects to NATS.
 *
 * @param signal When it is aborted, no server is waited for any more.
 * @throws {UsageError} If an address is none.
 * @throws {ScriptError} If there is no connection to be had. The message shows no password.
 */
export async function openNats(options: NatsOptions, signal?: AbortSignal): Promise<Nats> {
  const servers = options.nats.split(",").map((text) => parseServer(text.trim()));
  const places = servers.flatMap(({ hosts }) =>
    hosts.map(({ name, port = 4222 }) => hostAndPort(name, port))
  );
  const shown = places.join(", ");
  let forbidden: Error | undefined;
  // The answer to what is forbidden may be none.
  const explain = (error: unknown) =>
    explainError(isTimeout(error) ? forbidden ?? error : error, shown);
  const tls = await encryption(servers, options);
  globalThis.addEventListener("error", ignoreBrokenSockets);
  const connecting = connect({
    name: "burst",
    servers: places,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    timeout: 10_000,
    ...await login(servers[0], options),
    ...tls,
  });
  let connection: NatsConnection;
  try {
    connection = await (signal ? unlessAborted(connecting, signal) : connecting);
  } catch (error) {
    connecting.then((late) => late.close()).catch(() => {});
    // A server that wants a certificate just leaves.
    if (tls.tls && !tls.tls.cert && isTimeout(error)) {
      throw new ScriptError(
        `Cannot use NATS at ${shown} as it does not answer: check that the server runs, and if it wants a certificate of this client, see --tls-cert`,
      );
    }
    throw explain(error);
  }
  let connected = true;
  const broken = Promise.withResolvers<ScriptError>();
  const watch = async () => {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") connected = false;
      else if (status.type === "reconnect") connected = true;
      else if (status.type === "error" && status.error instanceof PermissionViolationError) {
        forbidden = status.error;
        const { operation, subject } = status.error;
        if (operation === "subscription" || UNANSWERED.test(subject)) {
          broken.resolve(explain(forbidden) as ScriptError);
        }
      }
    }
  };
  void watch();
  void connection.closed().then((error) => {
    const why = explain(error ?? new Error("ClosedConnection"));
    broken.resolve(why instanceof ScriptError ? why : new ScriptError(`${why}`));
  });
  return {
    connection,
    get maxPayload() {
      return connection.info?.max_payload ?? 2 ** 20;
    },
    broken: broken.promise,
    explain,
    async [Symbol.asyncDispose]() {
      if (!connected) return void connection.close().catch(() => {});
      // What is published but not sent yet would be lost by closing.
      await within(LAST_WORDS, connection.drain().catch(() => {}));
      // Drained without a server, it would go on looking for one, and the program would not end.
      void connection.close().catch(() => {});
    },
  };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

async function login(
  server: ParsedAddress,
  { creds, user, password, token }: NatsOptions,
): Promise<NodeConnectionOptions> {
  if (creds !== undefined) {
    const content = await read(creds);
    // Otherwise it fails deep in the client, once the server asks for them.
    if (!/-----BEGIN NATS USER JWT-----/.test(new TextDecoder().decode(content))) {
      throw new ScriptError(
        `Cannot use the credentials in '${creds}' as there are none: make them with "nsc generate creds"`,
      );
    }
    return { authenticator: credsAuthenticator(content) };
  }
  if (server.user) {
    const { user, password } = server;
    return password === undefined ? { token: user } : { user, pass: password };
  }
  if (user !== undefined) return { user, pass: password };
  return token === undefined ? {} : { token };
}

async function encryption(
  servers: readonly ParsedAddress[],
  options: NatsOptions,
): Promise<{ readonly tls?: { ca?: string; cert?: string; key?: string } }> {
  const tls: Record<string, string> = {};
  for (const name of ["ca", "cert", "key"] as const) {
    const path = options[`tls-${name}`];
    if (path !== undefined) tls[name] = new TextDecoder().decode(await read(path));
  }
  if (tls.cert !== undefined && !isPair(tls.cert, tls.key)) {
    throw new ScriptError(
      "Cannot use --tls-cert and --tls-key as they must be a certificate and its private key, in PEM",
    );
  }
  const isWanted = Object.keys(tls).length > 0 ||
    servers.some(({ protocol }) => protocol === "tls");
  return isWanted ? { tls } : {};
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

/** The client would tell it of neither in words that help. */
function isPair(certificate: string, key: string): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
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
  [
    /certificate required|bad certificate/i,
    "it wants a certificate of this client that it trusts: see --tls-cert and --tls-key",
  ],
  [/certificate|self.signed|UnknownIssuer/i, "its certificate is not to be trusted: see --tls-ca"],
  [/before secure TLS connection/i, "the TLS handshake failed: check --tls-ca, and try again"],
  [/server does not support 'tls'|tls.*not/i, "it speaks no TLS: check --nats and --tls-ca"],
  [/JetStreamNotEnabled|jetstream not enabled/i, "JetStream is off: start it with -js"],
  [/TimeoutError|\btimeout\b/i, "it does not answer: check that the server runs, and try again"],
  [
    /\bmaximum\b.*\bexceeded\b|insufficient (storage )?resources/i,
    "its stream is full: let workers catch up, or raise its limits",
  ],
  [/authentication expired/i, "the credentials have expired: use new --creds"],
  [/ClosedConnection|DrainingConnection|ECONNRESET|EPIPE/i, "the connection broke: try again"],
];

/** What is not allowed, if that is the error. */
export function violationOf(error: unknown): PermissionViolationError | undefined {
  const found = [error, (error as Error).cause].find((one) =>
    one instanceof PermissionViolationError
  );
  return found as PermissionViolationError | undefined;
}

function explainError(error: unknown, shown: string): unknown {
  if (!(error instanceof Error) || error instanceof ScriptError) return error;
  const { name, message, cause } = error;
  const violation = violationOf(error);
  if (violation !== undefined) {
    const what = `${violation.operation === "publish" ? "publish" : "subscribe"} to`;
    return new ScriptError(
      `Cannot use NATS at ${shown} as this user may not ${what} '${
        printable(violation.subject)
      }': grant the right, or use other --creds`,
    );
  }
  const text = `${name} ${message} ${cause instanceof Error ? cause.message : ""}`;
  const reason = REASONS.find(([pattern]) => pattern.test(text))?.[1];
  const isNats = /^(JetStream|Request|Protocol|Connection|NoResponders|Stream|Consumer)/.test(name);
  if (reason === undefined && !isNats) return error;
  return new ScriptError(`Cannot use NATS at ${shown} as ${reason ?? printable(message)}`);
}
