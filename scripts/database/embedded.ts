import { npmPackage } from "./npm_package.ts";
import { startServer } from "./server.ts";
import { systemInstallation } from "./system_installation.ts";

export { EmbeddedServerError } from "./embedded_server_error.ts";

/** Options for {@linkcode startEmbeddedServer}. */
export interface EmbeddedServerOptions {
  /**
   * Folder that keeps the data after the server has ended. It is created if need be. Without it the
   * data lives in a temporary folder and is removed.
   */
  dataDir?: string;
  /**
   * Whether a commit survives a power failure, as it does by default in PostgreSQL. Without it
   * saving is faster, and figures measured that way say nothing about a real server.
   *
   * @default {true}
   */
  durable?: boolean;
  /**
   * TCP port on 127.0.0.1.
   *
   * @default {a free one, chosen by the operating system}
   */
  port?: number;
  /** Called with one short sentence when something slow begins. */
  onProgress?: (message: string) => void;
  /** Gives up starting. A server that is ready is not affected. */
  signal?: AbortSignal;
}

/** A PostgreSQL server that ends with this program, however it ends. */
export interface EmbeddedServer extends AsyncDisposable {
  /** Where to connect, with user and password. */
  readonly url: string;
  /** TCP port on 127.0.0.1. */
  readonly port: number;
  /** The server's main process. */
  readonly pid: number;
  /** Folder with the data and the server's log, `server.log`. */
  readonly dataDir: string;
  /**
   * Stops the server. The second call returns the promise of the first.
   *
   * @returns A promise that resolves once the server is gone and temporary data is removed.
   */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL server as a child process: the one of npm's platform packages, which is
 * downloaded once, or else one that is installed on this system.
 *
 * The server listens on 127.0.0.1 only and lets nobody in without the random password in its `url`.
 * It does not keep the program from ending, and it ends with the program: after a return, an
 * uncaught error, `Deno.exit()`, Ctrl-C or `kill -9` alike.
 *
 * @example Usage
 * ```ts no-eval
 * import { startEmbeddedServer } from "./embedded.ts";
 * import postgres from "postgres";
 *
 * await using server = await startEmbeddedServer();
 * const sql = postgres(server.url);
 * console.log(await sql`SELECT version()`);
 * await sql.end({ timeout: 5 });
 * ```
 *
 * @param options Where the data goes, and the like.
 * @returns The server, ready for connections.
 * @throws {EmbeddedServerError} If there is no PostgreSQL to be had, or it does not start.
 * @throws {RangeError} If `port` is not a port number.
 */
export function startEmbeddedServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  return startServer(options, [npmPackage(), systemInstallation]);
}
