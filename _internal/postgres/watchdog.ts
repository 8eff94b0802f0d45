import { Socket } from "node:net";
import type { Sql } from "postgres";
import { type ConnectOptions, silenceDetector } from "./socket.ts";

/** How long, in milliseconds, the server has to stop a statement before its connection is closed. */
const PATIENCE = 1_000;

/** How long, in milliseconds, a server that answers has to end the statement by itself. */
const GRACE = 50;

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
  let isOver = false;
  const stop = () => {
    const { state, active } = statement;
    // Before it is sent, and behind others, there is nothing that could be stopped.
    if (state && active) requestCancel(options, state, () => isOver);
    timer = setTimeout(() => {
      if (resetSilent !== undefined) resetSilent();
      else if (statement.state) terminate(sql, statement.state.pid);
    }, PATIENCE);
  };
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop);
  return () => {
    isOver = true;
    signal.removeEventListener("abort", stop);
    clearTimeout(timer);
  };
}

/**
 * Asks the server, on a connection of its own, to cancel what a backend is doing.
 *
 * A server that hangs would do it later, when the backend is at another statement. So it is asked for
 * TLS first, to see that it answers.
 */
async function requestCancel(
  options: ConnectOptions,
  { pid, secret }: { pid: number; secret: number },
  isOver: () => boolean,
): Promise<void> {
  const { host, port, path } = options;
  // The backend is at one of the hosts. The others know no such backend and do nothing.
  for (let i = 0; i < (path ? 1 : host.length); i++) {
    const server = { ...options, host: [host[i]], port: [port[i]] };
    try {
      const socket = await open(server);
      socket.write(words(8, 80877103));
      const [answer] = await new Promise<Uint8Array>((resolve, reject) => {
        socket.once("data", resolve);
        socket.once("close", reject);
      });
      // One that has hung until now may be about to answer the statement itself.
      await new Promise((resolve) => setTimeout(resolve, GRACE));
      // A cancel request need not be encrypted, but it cannot follow on a yes.
      const isPlain = String.fromCharCode(answer) === "N";
      if (!isPlain || isOver()) socket.destroy();
      if (isOver()) return;
      (isPlain ? socket : await open(server)).end(words(16, 80877102, pid, secret));
    } catch {
      // A server that cannot be asked cannot be helped.
    }
  }
}

/** A socket that is closed soon, whatever happens. */
async function open(options: ConnectOptions): Promise<Socket> {
  const { host: [host], port: [port], path } = options;
  const socket = await (options.socket?.(options) ??
    (path ? new Socket().connect(path) : new Socket().connect(port, host)));
  socket.on("error", () => {});
  socket.setTimeout(PATIENCE, () => socket.destroy());
  return socket;
}

function words(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setInt32(4 * i, value));
  return new Uint8Array(view.buffer);
}

/** Has the server end a backend, if it has been at the same statement, or at none, all the time. */
function terminate(sql: Sql, pid: number): void {
  const statement = `select pg_terminate_backend(pid) from pg_stat_activity
    where pid = ${pid} and state_change < clock_timestamp() - interval '${PATIENCE} ms'`;
  sql.unsafe(statement).catch(() => {});
}
