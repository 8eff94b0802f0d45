import { Socket } from "node:net";
import type { Sql } from "postgres";
import { type ConnectOptions, silenceDetector } from "./postgres_socket.ts";

/** How long, in milliseconds, the server has to stop a statement before its connection is closed. */
const PATIENCE = 1_000;

/** A statement of postgres.js, with what its types do not show. */
export interface Statement {
  /** The backend that the statement was sent to. */
  readonly state?: { readonly pid: number; readonly secret: number } | null;
  /** Whether it is the one that the backend works on. */
  readonly active?: boolean;
}

/**
 * Watches over a statement: once it is aborted, the server is asked to stop it, and where that does
 * not help its connection is closed. What the driver does itself is no use here. Its `cancel()`
 * rejects a promise that nobody holds where the server is out of reach, and that ends the program;
 * and it loses a connection whose first statement is cancelled while it opens.
 *
 * @returns Ends the watch. To be called when the statement has ended.
 */
export function watch(sql: Sql, statement: Statement, signal: AbortSignal): () => void {
  const options = sql.options as unknown as ConnectOptions;
  const resetSilent = silenceDetector(options);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    // Before it is sent, and behind others, there is nothing that could be stopped.
    if (statement.state && statement.active) requestCancel(options, statement.state);
    timer = setTimeout(() => {
      if (resetSilent !== undefined) resetSilent();
      else if (statement.state) terminate(sql, statement.state.pid);
    }, PATIENCE);
  };
  signal.addEventListener("abort", stop);
  return () => {
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
  };
}

/** Asks the server, on a connection of its own, to cancel what a backend is doing. */
async function requestCancel(
  options: ConnectOptions,
  { pid, secret }: { pid: number; secret: number },
): Promise<void> {
  const { host, port, path, socket: open } = options;
  const request = new DataView(new ArrayBuffer(16));
  [16, 80877102, pid, secret].forEach((word, i) => request.setInt32(4 * i, word));
  // The backend is at one of the hosts. The others know no such backend and do nothing.
  for (let i = 0; i < (path ? 1 : host.length); i++) {
    try {
      const socket = await (open?.({ ...options, host: [host[i]], port: [port[i]] }) ??
        (path ? new Socket().connect(path) : new Socket().connect(port[i], host[i])));
      socket.on("error", () => {});
      socket.setTimeout(PATIENCE, () => socket.destroy());
      socket.end(new Uint8Array(request.buffer));
    } catch {
      // A server that cannot be asked cannot be helped.
    }
  }
}

/** Has the server end a backend, if it has been at the same statement, or at none, all the time. */
function terminate(sql: Sql, pid: number): void {
  const statement = `select pg_terminate_backend(pid) from pg_stat_activity
    where pid = ${pid} and state_change < clock_timestamp() - interval '${PATIENCE} ms'`;
  sql.unsafe(statement).catch(() => {});
}
