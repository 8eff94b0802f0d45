import { Socket } from "node:net";

/** The options of postgres.js, as far as connecting goes. */
export interface ConnectOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false;
  readonly target_session_attrs?: string;
  readonly socket?: (options: ConnectOptions) => Socket | Promise<Socket>;
}

/** The open sockets of each postgres.js instance, known by its options. */
const SOCKETS = new WeakMap<object, { readonly open: Set<Socket>; host: number }>();

/**
 * Opens the sockets of a postgres.js instance, so that one on which no answer comes can be closed.
 *
 * A connection that a firewall has dropped, or whose server hangs, looks healthy from this side for a
 * quarter of an hour, and the driver has no way to close it: it stays in the pool, and every
 * statement that goes down it is lost. With these sockets, `postgresWriter` resets it soon after a
 * batch has run into its `timeout`. It resets every connection of the instance on which nothing
 * has come since that batch was sent; so give statements of yours that take longer than `timeout` an
 * instance of their own.
 *
 * Small packets leave at once (`TCP_NODELAY`), which COPY needs to be fast.
 *
 * @example Usage
 * ```ts ignore
 * import { postgresSocket } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * const sql = postgres("postgres://db.example.com/shop", { socket: postgresSocket });
 * ```
 *
 * @param options The options of the instance; postgres.js passes them.
 * @returns A socket that is connecting.
 */
export function postgresSocket(options: ConnectOptions): Socket {
  const sockets = SOCKETS.get(options) ?? { open: new Set(), host: 0 };
  SOCKETS.set(options, sockets);
  const socket = new Socket();
  socket.setNoDelay(true);
  sockets.open.add(socket);
  socket.once("close", () => sockets.open.delete(socket));
  if (options.path) return socket.connect(options.path);
  const { host, port, target_session_attrs } = options;
  const index = sockets.host % host.length;
  // The next host is tried where this one does not answer, or may turn out not to be the right one.
  const next = () => sockets.host = index + 1;
  if (target_session_attrs) next();
  else socket.once("error", next);
  // The driver takes them for the name in the certificate, and for its messages.
  Object.assign(socket, { host: host[index], port: port[index] });
  return socket.connect(port[index], host[index]);
}

/** Resets those of an instance's sockets on which nothing comes from now until it is called. */
export function silenceDetector(options: object): (() => void) | undefined {
  const sockets = SOCKETS.get(options);
  if (sockets === undefined) return undefined;
  const before = [...sockets.open].map((socket) => [socket, socket.bytesRead] as const);
  return () => {
    for (const [socket, bytes] of before) {
      if (sockets.open.has(socket) && socket.bytesRead === bytes) socket.resetAndDestroy();
    }
  };
}
