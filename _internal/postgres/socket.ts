import { Socket } from "node:net";

/** The options of postgres.js that are about connecting. */
export interface ConnectOptions {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | false;
  readonly target_session_attrs?: string;
  readonly ssl?: unknown;
  readonly sslnegotiation?: string | null;
  readonly socket?: (options: ConnectOptions) => Socket | Promise<Socket>;
}

/** The open sockets of each postgres.js instance, known by its options. */
const SOCKETS = new WeakMap<object, { readonly open: Set<SteadySocket>; host: number }>();

/** A socket that keeps postgres.js from losing statements when it breaks. */
class SteadySocket extends Socket {
  /** Whether data passes through the socket itself: with TLS, it only counts the bytes. */
  readonly #isPlain: boolean;
  #heardAt = performance.now();
  #error: unknown;

  constructor({ ssl }: ConnectOptions) {
    super();
    this.#isPlain = !ssl;
  }

  /** Whether the socket has certainly been silent since a time of the monotonic clock. */
  isSilentSince(time: number): boolean {
    return this.#isPlain && this.#heardAt < time;
  }

  /**
   * Emits an error only once it is closed. In between, the driver would accept statements, never
   * answer them, and take the next connection's greeting for the answer.
   */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "data") this.#heardAt = performance.now();
    if (event === "error") this.#error = args[0];
    if (event === "error" && !this.closed) return true;
    if (event === "close" && this.#error !== undefined) super.emit("error", this.#error);
    // deno-lint-ignore no-explicit-any -- as the types of Node.js have it
    return super.emit(event as any, ...args);
  }

  /**
   * Closes the connection if the driver does not speak first. If its last connection was closed in the
   * same turn as a statement, the driver waits for ever for its turn to write, and collects what it
   * wants to write until that is 1 kB. After some retries it gets there.
   */
  expectGreeting(): void {
    this.once("connect", () =>
      setImmediate(() => {
        if (this.bytesWritten === 0) this.destroy();
      }));
  }
}

/** Opens a socket for a postgres.js instance, and remembers it. */
function openSocket(options: ConnectOptions): Socket {
  const sockets = SOCKETS.get(options) ?? { open: new Set(), host: 0 };
  SOCKETS.set(options, sockets);
  const socket = new SteadySocket(options);
  if (options.sslnegotiation !== "direct") socket.expectGreeting();
  socket.setNoDelay(true);
  sockets.open.add(socket);
  socket.once("close", () => sockets.open.delete(socket));
  if (options.path) return socket.connect(options.path);
  const { host, port, target_session_attrs } = options;
  const index = sockets.host % host.length;
  // If this host does not answer, or may turn out to be the wrong one, the next one is tried.
  const next = () => sockets.host = index + 1;
  if (target_session_attrs) next();
  else socket.once("error", next);
  // The driver needs them for the name in the certificate and for its messages.
  Object.assign(socket, { host: host[index], port: port[index] });
  return socket.connect(port[index], host[index]);
}

/**
 * Options with which postgres.js copes with broken connections.
 *
 * - `socket`: a connection that a firewall has dropped, or whose server hangs, looks healthy from this
 *   side for a quarter of an hour, and the driver cannot close it: it stays in the pool, and every
 *   statement sent down it is lost. With this option, `postgresWriter` resets such connections a
 *   second after a batch has exceeded its `timeout`: every connection of the instance that has been
 *   silent since then and for the last three quarters of that time. So give statements that take
 *   longer than half of `timeout` an instance of their own.
 *   Small packets leave at once (`TCP_NODELAY`).
 * - `backoff`: it waits at most 1 s between two attempts to connect. By default, all connections of
 *   a pool wait 10 to 20 s after one restart of the server.
 * - `fetch_types: false`: otherwise a connection that breaks while the driver asks for the types ends
 *   the program with an unhandled rejection. (`postgresWriter` does not need them; JavaScript arrays
 *   as parameters of your own statements do.)
 *
 * @example Usage
 * ```ts
 * import { postgresOptions } from "@burst/batcher/postgres";
 * import postgres from "postgres";
 *
 * const url = "postgres://localhost/shop";
 * const sql = postgres(url, { ...postgresOptions, max: 10 });
 * // In seconds; without it, this may hang after a connection broke.
 * await sql.end({ timeout: 5 });
 * ```
 */
export const postgresOptions: Readonly<{
  socket: unknown;
  backoff: (attempt: number) => number;
  fetch_types: boolean;
}> = {
  socket: openSocket,
  backoff: (attempt) => Math.min(0.2 * attempt, 1),
  fetch_types: false,
};

/**
 * Resets those of an instance's sockets that are silent from now until the returned function is
 * called. Without TLS, data in the first quarter of that time does not count: a statement may have
 * more than one answer.
 */
export function silenceDetector(options: object): (() => void) | undefined {
  const sockets = SOCKETS.get(options);
  if (sockets === undefined) return undefined;
  const before = [...sockets.open].map((socket) => [socket, socket.bytesRead] as const);
  const start = performance.now();
  return () => {
    const limit = start + (performance.now() - start) / 4;
    for (const [socket, bytes] of before) {
      const isSilent = socket.bytesRead === bytes || socket.isSilentSince(limit);
      if (sockets.open.has(socket) && isSilent) socket.resetAndDestroy();
    }
  };
}
