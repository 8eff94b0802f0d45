import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ScriptError } from "../cli/run.ts";

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
  /** Listens no longer, and resolves once every request is answered. */
  close(): Promise<void>;
}

/** Milliseconds that a connection may be idle; longer than proxies keep theirs. */
const KEEP_ALIVE = 75_000;

/** Milliseconds that the last answers have to reach their clients. */
const LAST_ANSWERS = 2_000;

/**
 * Serves HTTP. Not with `Deno.serve`: in Deno 2.9 that gives a client all the time in the world for
 * the head and for the body of a request, and so as many connections as it likes. The server of
 * node:http has limits for both, and is as fast.
 *
 * @throws {ScriptError} If it cannot listen there.
 */
export async function listen(options: ListenOptions): Promise<HttpServer> {
  const { host, port, headerTimeout, requestTimeout, answer } = options;
  const sockets = new Set<Socket>();
  let asked = 0;
  let closing = false;
  let answered: (() => void) | undefined;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    asked++;
    const gone = new AbortController();
    response.on("close", () => gone.abort(new Error("The client has disconnected")));
    response.on("error", () => {});
    send(response, await answer(read(request, gone.signal)), closing);
    if (--asked === 0) answered?.();
  }

  const server = createServer({
    headersTimeout: headerTimeout,
    requestTimeout,
    keepAliveTimeout: KEEP_ALIVE,
    connectionsCheckingInterval: Math.min(1_000, headerTimeout / 4),
  }, (request, response) => void serve(request, response));
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(new ScriptError(whyNotListening(error, host, port))));
    server.listen(port, host, resolve);
  });
  const { address, family, port: actual } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${actual}`,
    async close() {
      closing = true;
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      if (asked > 0) await new Promise<void>((resolve) => answered = resolve);
      // A client that does not read its answer, or sends a request bit by bit, is not waited for.
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, LAST_ANSWERS);
      await closed;
      clearTimeout(timer);
    },
  };
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
