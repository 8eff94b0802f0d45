import { npmPackage } from "./npm_package.ts";
import { type EmbeddedServer, type EmbeddedServerOptions, startServer } from "./server.ts";
import { systemInstallation } from "./system_installation.ts";

export { EmbeddedServerError } from "./embedded_server_error.ts";
export type { EmbeddedServer, EmbeddedServerOptions } from "./server.ts";

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
