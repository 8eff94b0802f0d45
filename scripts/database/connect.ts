import type { Socket } from "node:net";
import postgres from "postgres";
import { postgresOptions, PostgresWriteError } from "../../postgres.ts";
import { hostAndPort } from "../cli/address.ts";
import { within } from "../cli/within.ts";
import { isFileCode, ScriptError } from "../cli/run.ts";
import { type ConnectSettings, readDatabaseAddress } from "./address.ts";
import { EmbeddedServerError, startEmbeddedServer } from "./embedded.ts";
import { DatabaseSockets, StrangerError } from "./sockets.ts";

/** Where a server listens: at a port, or at a socket of the file system. */
export type Address = { readonly hostname: string; readonly port: number } | {
  readonly path: string;
};

/** A database that a script works on. */
export interface Database extends AsyncDisposable {
  readonly sql: postgres.Sql;
  /** Where it is, with the password: for a program that is to use it as well. */
  readonly url: string;
  /** Whether the server is one that the script has started itself. */
  readonly embedded: boolean;
  /** The server's version, as in "18.4". */
  readonly version: string;
  /** Where the server listens; one that is reached over several addresses has several. */
  readonly addresses: readonly Address[];
  /** Opens further connections, as the same user, over sockets that somebody else connects. */
  over(dial: () => Promise<Socket>): postgres.Sql;
  /** Turns what the database answered into a sentence for the user; passes on anything else. */
  explain(error: unknown): unknown;
}

/** Milliseconds that the connections may take to close, before they are destroyed. */
const LAST_WORDS = 3_000;

/** Options of {@linkcode openDatabase}. */
export interface OpenDatabaseOptions {
  /** Where to connect. Without it, and without `DATABASE_URL`, a server is started. */
  url?: string;
  /** Folder that keeps the data of a server that is started. Named, it goes before `DATABASE_URL`. */
  dataDir?: string;
  onProgress?: (message: string) => void;
  signal?: AbortSignal;
}

/**
 * Connects to the database that the user names, or to an embedded one.
 *
 * @throws {UsageError} If the address is none of a PostgreSQL database.
 * @throws {ScriptError} If there is no connection to be had. The message shows no password.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  const { dataDir, onProgress, signal } = options;
  const given = dataDir === undefined ? givenUrl(options.url) : options.url;
  if (given !== undefined) {
    const source = options.url === undefined ? "DATABASE_URL" : "--database-url";
    return await connect(given, await readDatabaseAddress(given, source), { signal });
  }
  const server = await startEmbeddedServer({ dataDir, onProgress, signal }).catch((error) => {
    throw error instanceof EmbeddedServerError ? new ScriptError(error.message) : error;
  });
  try {
    // Its address is complete. What is meant for other servers is not for this one.
    const settings = await readDatabaseAddress(server.url, "the server", () => undefined);
    return await connect(server.url, settings, { server, signal });
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The address that the user has given, by a flag or in the environment. */
export function givenUrl(flag: string | undefined): string | undefined {
  return flag ?? (Deno.env.get("DATABASE_URL") || undefined);
}

async function connect(
  url: string,
  settings: ConnectSettings,
  { server, signal }: { server?: AsyncDisposable; signal?: AbortSignal },
): Promise<Database> {
  const sockets = new DatabaseSockets();
  const options = {
    ...postgresOptions,
    ...settings,
    socket: sockets.open,
    // A timer that would close connections after an hour, for whatever reason.
    max_lifetime: null,
    onnotice: () => {},
  } as unknown as postgres.Options<Record<string, never>>; // whose types know only some of them
  const sql = postgres(options);
  const explain = (error: unknown) => explainError(error, settings);
  const close = async () => {
    await within(LAST_WORDS, sql.end({ timeout: 2 }).catch(() => {}));
    sockets.destroyAll();
  };
  try {
    const [{ server_version }] = await firstAnswer(sql.unsafe("show server_version"), {
      sockets,
      settings,
      signal,
    });
    return {
      sql,
      url,
      embedded: server !== undefined,
      version: server_version.split(" ")[0],
      addresses: addressesOf(sql),
      over: (dial) =>
        postgres({
          ...options,
          // To connect takes several round trips, and their time is the caller's choice.
          connect_timeout: 60,
          // The types of postgres.js do not know its option `socket`.
          ...{ socket: dial },
        }),
      explain,
      async [Symbol.asyncDispose]() {
        await close();
        await server?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    void sql.end({ timeout: 0 }).catch(() => {});
    sockets.destroyAll();
    throw signal?.aborted ? signal.reason : explain(error);
  }
}

/**
 * Waits for the answer to the first question. The driver goes on for ever if something else than
 * PostgreSQL listens there, and what that says tells more than its errors.
 */
async function firstAnswer<T>(
  answer: Promise<T>,
  { sockets, settings: { host, connect_timeout }, signal }: {
    sockets: DatabaseSockets;
    settings: ConnectSettings;
    signal: AbortSignal | undefined;
  },
): Promise<T> {
  const limit = AbortSignal.timeout(1_000 * (connect_timeout * host.length + 1));
  const end = Promise.withResolvers<never>();
  const giveUp = () => end.reject(Object.assign(new Error("Too late"), { code: "ETIMEDOUT" }));
  const signals = signal === undefined ? [limit] : [limit, signal];
  for (const one of signals) one.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([answer, sockets.stranger, end.promise]);
  } catch (error) {
    // The error of the driver may come first.
    await Promise.race([sockets.stranger, Promise.resolve()]);
    throw error;
  } finally {
    for (const one of signals) one.removeEventListener("abort", giveUp);
  }
}

function addressesOf({ options: { path, host, port } }: postgres.Sql): Address[] {
  if (path) return [{ path }];
  return host.map((hostname, i) => ({ hostname, port: port[i] }));
}

/** Where it is, without user and password. */
function shown({ host, port, database }: ConnectSettings): string {
  const hosts = host.map((name, i) => name.startsWith("/") ? name : hostAndPort(name, port[i]));
  return `${hosts.join(", ")}${database === undefined ? "" : `/${database}`}`;
}

/** Why the database could not be used, and what to do, for the codes of server and driver. */
const REASONS: readonly (readonly [code: RegExp, reason: string])[] = [
  [/^ECONNREFUSED$/, "nothing listens there: check the address, and that the server runs"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "there is no such host: check the address"],
  [/^ENOENT$/, "there is no such socket: check the address, and that the server runs"],
  [
    /^(CONNECT_TIMEOUT|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/,
    "it does not answer: check the address, and that the server can be reached from here",
  ],
  [/^28P01$/, "it does not let this user in: check user and password"],
  [/^3D000$/, "there is no such database: create it, or check its name"],
  [/^53300$/, "it has no connection left: try again later, or raise max_connections"],
  [/^42501$/, "this user may not do that: grant the right, or use another user"],
  [
    /^(26000|42P05)$/,
    "a pooler before it does not know prepared statements: add ?pgbouncer=true to the address",
  ],
  [/^57P03$/, "it is starting up or shutting down: try again in a moment"],
];

/** The connection broke. What that may mean depends on what was asked of it. */
const BROKEN = /^(57P0[12]|08...|CONNECTION_(CLOSED|DESTROYED|ENDED)|ECONNRESET|EPIPE)$/;

function explainError(error: unknown, settings: ConnectSettings): unknown {
  if (!(error instanceof Error)) return error;
  // Items that were pushed, or addresses of one host that were tried: the first tells enough.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return explainError(error.errors[0], settings);
  }
  const { code } = error as Error & { code?: unknown };
  if (error instanceof StrangerError) {
    return new ScriptError(`Cannot use the database at ${shown(settings)} as ${error.message}`);
  }
  if (typeof code !== "string" || isOfFile(error, code)) return error;
  return new ScriptError(
    `Cannot use the database at ${shown(settings)} as ${reasonOf(error, code, settings)}`,
  );
}

/** Whether an error is about a file or the standard output, and not about the database. */
function isOfFile(error: Error, code: string): boolean {
  return isFileCode(code) ||
    Object.values(Deno.errors).some((kind) =>
      kind !== Deno.errors.NotCapable && error.constructor === kind
    );
}

function reasonOf(error: Error, code: string, { ssl }: ConnectSettings): string {
  const reason = REASONS.find(([pattern]) => pattern.test(code))?.[1];
  if (reason !== undefined) return reason;
  // What a server, or the pooler before it, says of a connection that it refuses: of no row yet.
  const said = `it says: ${error.message} (${code})`;
  if (code.startsWith("28")) {
    return ssl === false && /encrypt|SSL|TLS/i.test(error.message)
      ? `${said}. If it wants TLS, add ?sslmode=require to the address`
      : said;
  }
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME|ERR_TLS/.test(code)) {
    return `its certificate is not to be trusted (${code}): name its issuer with sslrootcert`;
  }
  if (error instanceof PostgresWriteError && !BROKEN.test(code)) {
    return error.message.replace(/^Cannot [a-z ]+ as /, "");
  }
  if ("severity" in error && !code.startsWith("57P0")) {
    // What it says of a statement may quote a row.
    return code.startsWith("08") ? said : `it refuses that (${code}): its log says why`;
  }
  if (!BROKEN.test(code)) return `${error.message} (${code})`;
  return ssl === false || ssl === "prefer"
    ? "the connection broke: check that the server still runs, and try again"
    : "the connection broke: check that the server still runs, and that it offers TLS, which sslmode asks for";
}
