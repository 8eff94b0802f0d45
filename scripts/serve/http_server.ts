import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ScriptError } from "../cli/run.ts";
import { within } from "../cli/within.ts";
import { watchAccepting } from "./accept_check.ts";

/** A request, whose body has not been read yet. */
export interface Asked {
  readonly method: string;
  /** The path, without the query. */
  readonly path: string;
  /** The type of the body, without parameters, in lower case. */
  readonly contentType: string | undefined;
  /** The size of the body, where the client tells. */
  readonly contentLength: number | undefined;
  /** The body, as it arrives. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The IP address of the other end of the connection. */
  readonly remoteAddress: string;
  /** A header, all of whose values are joined with commas. */
  header(name: string): string | undefined;
  /** Aborted when the client has gone before it was answered. */
  readonly signal: AbortSignal;
}

/** The answer to a request. */
export interface Answer {
  readonly status: number;
  /** An object is sent as JSON. */
  readonly body?: string | Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the connection is closed after it, as the rest of the request is not wanted. */
  readonly close?: boolean;
}

/** Options of {@linkcode listen}. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Most connections; further ones are closed at once. */
  readonly maxConnections: number;
  /** Milliseconds that a client has to send the head of a request. */
  readonly headerTimeout: number;
  /** Milliseconds that it has to send all of it. */
  readonly requestTimeout: number;
  /** Answers a request. Must not reject. */
  readonly answer: (asked: Asked) => Promise<Answer>;
}

/** A server that listens. */
export interface HttpServer {
  /** The address, as in `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Open connections. */
  readonly connections: number;
  /** Rejects with a `ScriptError` if connections are no longer accepted. */
  readonly failed: Promise<never>;
  /**
   * Listens no longer, and waits until every request is answered; then, or when the time is up, no
   * connection is left.
   *
   * @param patience Milliseconds.
   * @returns How many requests had come whole and were not answered.
   */
  close(patience: number): Promise<number>;
}

/** Milliseconds that a connection may be idle; longer than proxies keep theirs. */
const KEEP_ALIVE = 75_000;

/** Milliseconds that a client may take to read an answer. */
const READ_TIMEOUT = 10_000;

/** Milliseconds that the last answers have to reach their clients. */
const LAST_ANSWERS = 2_000;

/** Requests that a client may send on one connection before it has read the answer to the first. */
const MAX_PIPELINED = 8;

/**
 * Connections that the system keeps until they are accepted. All of them may be accepted in one turn of
 * the event loop, before the first that is too much is closed.
 */
const BACKLOG = 128;

/** A connection, with the requests on it that are not answered. */
interface Connection {
  readonly requests: Set<IncomingMessage>;
  /** Resolves when all of them are. */
  answered: Promise<void>;
}

/**
 * Serves HTTP. Not with `Deno.serve`: in Deno 2.9 that gives a client all the time in the world for
 * the head and for the body of a request, cannot close a connection, and ends the program when it runs
 * out of file descriptors. What the server of node:http does not bound is bounded here: connections,
 * requests that are not answered, answers that are not read, and the time to close.
 *
 * @throws {ScriptError} If it cannot listen there.
 */
export async function listen(options: ListenOptions): Promise<HttpServer> {
  const { host, port, maxConnections, headerTimeout, requestTimeout, answer } = options;
  const connections = new Map<Socket, Connection>();
  let closing = false;
  let answered: (() => void) | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const connection = connections.get(socket);
    // On a connection that is being closed, the rest of what has arrived is still parsed.
    if (connection === undefined || socket.destroyed) return;
    if (connection.requests.size >= MAX_PIPELINED) return drop(socket);
    connection.requests.add(request);
    const gone = new AbortController();
    response.on("error", () => {});
    const closed = new Promise<void>((resolve) => response.on("close", resolve));
    closed.then(() => gone.abort(new Error("The client has disconnected")));
    const before = connection.answered;
    connection.answered = closed;
    await before;
    if (!socket.destroyed) {
      send(response, await answer(read(request, gone.signal)), closing);
      const timer = setTimeout(() => socket.destroy(), READ_TIMEOUT);
      await closed;
      clearTimeout(timer);
    }
    connection.requests.delete(request);
    if (closing && openRequests().length === 0) answered?.();
  }

  const openRequests = () => [...connections.values()].flatMap(({ requests }) => [...requests]);
  const destroyAll = () => {
    for (const socket of connections.keys()) socket.destroy();
  };
  const server = createServer({
    headersTimeout: headerTimeout,
    requestTimeout,
    keepAliveTimeout: KEEP_ALIVE,
    connectionsCheckingInterval: Math.min(1_000, headerTimeout / 4),
  }, (request, response) => void serve(request, response));
  server.maxConnections = maxConnections;
  server.on("connection", (socket: Socket) => {
    connections.set(socket, { requests: new Set(), answered: Promise.resolve() });
    socket.on("close", () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ScriptError(whyNotListening(error, host, port))));
    server.listen({ port, host, backlog: Math.min(BACKLOG, maxConnections) }, resolve);
  });
  const { address, family, port: actual } = server.address() as AddressInfo;
  const watch = watchAccepting(server);
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`,
    get connections() {
      return connections.size;
    },
    failed: watch.failed,
    async close(patience) {
      watch[Symbol.dispose]();
      closing = true;
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      if (openRequests().length > 0) {
        await within(patience, new Promise<void>((resolve) => answered = resolve));
      }
      const cutOff = openRequests().filter(({ complete }) => complete).length;
      // A client that does not read its answer, or sends a request bit by bit, is not waited for.
      const lastTimer = setTimeout(destroyAll, cutOff > 0 ? 0 : LAST_ANSWERS);
      await closed;
      clearTimeout(lastTimer);
      return cutOff;
    },
  };
}

/** Of 64 kB of small requests, each would become 5 kB before the connection is closed. */
function drop(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming?: unknown } };
  // As for an upgrade, after which there is no HTTP
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => 2;
  socket.destroy();
}

function read(request: IncomingMessage, signal: AbortSignal): Asked {
  const { method = "", url = "", headers } = request;
  const length = headers["content-length"];
  return {
    method,
    path: url.split("?", 1)[0],
    contentType: headers["content-type"]?.split(";", 1)[0].trim().toLowerCase(),
    contentLength: length === undefined ? undefined : Number(length),
    body: request,
    remoteAddress: request.socket.remoteAddress ?? "",
    header: (name) => [headers[name]].flat().join(",") || undefined,
    signal,
  };
}

function send(response: ServerResponse, answer: Answer, closing: boolean): void {
  const { status, body, headers, close = false } = answer;
  const isText = typeof body === "string";
  const bytes = body === undefined ? undefined : Buffer.from(isText ? body : JSON.stringify(body));
  response.writeHead(status, {
    ...(bytes && {
      "content-length": bytes.length,
      "content-type": isText ? "text/plain; charset=utf-8" : "application/json; charset=utf-8",
    }),
    "cache-control": "no-store",
    ...(close || closing ? { connection: "close" } : {}),
    ...headers,
  });
  response.end(bytes);
}

function whyNotListening(error: unknown, host: string, port: number): string {
  const { code, message } = error as Error & { code?: string };
  const reason = {
    EADDRINUSE: "another program does: stop it, or choose another --port",
    EADDRNOTAVAIL: "that is no address of this machine: choose another --host",
    EINVAL: "that is no address of this machine: choose another --host",
    EACCES: "this user may not: choose a --port above 1023",
    ENOTFOUND: "there is no such host: check --host",
  }[code ?? ""] ?? message;
  return `Cannot listen on ${host}:${port} as ${reason}`;
}
