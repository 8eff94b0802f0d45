import { Socket } from "node:net";
import type { ConnectOptions } from "./socket.ts";
import type { Backend } from "./statement.ts";
import { within } from "./time.ts";

/** How long a server that answers has to end the statement by itself, in milliseconds. */
const GRACE = 50;

/** How long a server may be silent on a connection that asks to cancel, in milliseconds. */
const SILENCE = 1_000;

/**
 * Asks the server, on a connection of its own, to cancel what a backend is doing. Resolves when that
 * connection is closed, whether it helped or not.
 *
 * The driver's own `cancel()` is of no use: if the server cannot be reached, it rejects a promise that
 * nobody holds, which ends the program.
 *
 * A server that hangs would cancel later, when the backend is at another statement. So it is asked for
 * TLS first, to see whether it answers.
 *
 * @param ended Resolves when there is nothing left to cancel.
 */
export async function requestCancel(
  options: ConnectOptions,
  { pid, secret }: Backend,
  ended: Promise<void>,
): Promise<void> {
  const { host, port, path } = options;
  let isOver = false;
  ended.then(() => isOver = true);
  // The backend is at one of the hosts. The others do not know it and do nothing.
  for (let i = 0; i < (path ? 1 : host.length) && !isOver; i++) {
    const server = { ...options, host: [host[i]], port: [port[i]] };
    const first = await open(server);
    try {
      const answer = await asksForTls(first);
      // A server that hung until now may be about to answer the statement itself.
      if (answer !== undefined) await within(ended, GRACE);
      if (answer === undefined || isOver) continue;
      // A cancel request need not be encrypted, but it cannot follow on a yes.
      const socket = answer === "N" ? first : await open(server);
      socket.write(words(16, 80877102, pid, secret));
      // The server closes it. PgBouncer 1.18 dies of a client that closes it first.
      await closed(socket);
    } finally {
      first.destroy();
    }
  }
}

/** A socket that is soon closed, whatever happens. */
async function open(options: ConnectOptions): Promise<Socket> {
  const { host: [host], port: [port], path } = options;
  const socket = await (options.socket?.(options) ??
    (path ? new Socket().connect(path) : new Socket().connect(port, host)));
  socket.on("error", () => {});
  socket.setTimeout(SILENCE, () => socket.destroy());
  return socket;
}

/** What the server answers: yes ("S") or no ("N"), or nothing. */
function asksForTls(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.once("data", (bytes) => resolve(String.fromCharCode(bytes[0])));
    socket.once("close", () => resolve(undefined));
    socket.write(words(8, 80877103));
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once("close", () => resolve());
    socket.resume();
  });
}

function words(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setInt32(4 * i, value));
  return new Uint8Array(view.buffer);
}
