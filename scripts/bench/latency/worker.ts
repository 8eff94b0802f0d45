/**
 * The thread of the latency proxy. It has nothing else to do, so that hashing elsewhere does not
 * disturb it.
 */
import type { Address } from "../../database/connect.ts";
import { type Clock, DelayLine } from "./delay_line.ts";
import type { ListenAnswer, ListenRequest } from "./protocol.ts";

const CHUNK = 64 * 1024;
/** Bytes on their way at which reading stops: at 100 ms that is more than 5 Gbit/s. */
const CAPACITY = 64 * 1024 * 1024;

const cell = new Int32Array(new SharedArrayBuffer(4));

/**
 * Timers of Deno fire up to 1.5 ms late, so one is set for a little earlier, and the thread sleeps for
 * the rest: without a turn of the processor, and exact to 0.1 ms.
 */
const clock: Clock = {
  now: () => performance.now(),
  async until(time) {
    const early = Math.floor(time - performance.now()) - 1;
    if (early >= 1) await new Promise((resolve) => setTimeout(resolve, early));
    const rest = time - performance.now();
    if (rest > 0) Atomics.wait(cell, 0, 0, rest);
  },
};

interface WorkerScope {
  addEventListener(type: "message", listener: (event: MessageEvent<ListenRequest>) => void): void;
  postMessage(message: ListenAnswer): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.addEventListener("message", ({ data: request }) => {
  try {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    accept(listener, request);
    scope.postMessage({ port: listener.addr.port });
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? error.message : String(error) });
  }
});

async function accept(listener: Deno.Listener, request: ListenRequest): Promise<void> {
  for await (const client of listener) serve(client, request);
}

async function serve(client: Deno.Conn, { servers, delayMs, token }: ListenRequest): Promise<void> {
  using _client = client;
  try {
    if (!await sends(client, token)) return;
    using server = await connect(servers);
    for (const connection of [client, server]) {
      if ("setNoDelay" in connection) (connection as Deno.TcpConn).setNoDelay();
    }
    const line = new DelayLine<Uint8Array>(delayMs, CAPACITY, clock);
    // The server's answers bear the whole round trip: a client cannot tell that from half of it each
    // way, and a chunk meets one timer instead of two.
    await Promise.all([copy(client, server), fill(line, server), deliver(line, client)]);
  } catch {
    // Either end is gone, so both are closed, and the driver tells its caller.
  }
}

async function sends(client: Deno.Conn, token: Uint8Array): Promise<boolean> {
  const given = new Uint8Array(token.length);
  for (let length = 0; length < given.length;) {
    const read = await client.read(given.subarray(length));
    if (read === null) return false;
    length += read;
  }
  return given.every((byte, i) => byte === token[i]);
}

async function connect(servers: readonly Address[]): Promise<Deno.Conn> {
  let failure: unknown;
  for (const address of servers) {
    try {
      return "path" in address
        ? await Deno.connect({ transport: "unix", path: address.path })
        : await Deno.connect(address);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function copy(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
    await write(to, buffer.subarray(0, read));
  }
  await to.closeWrite();
}

async function fill(line: DelayLine<Uint8Array>, from: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  try {
    for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
      await line.push(buffer.slice(0, read));
    }
  } finally {
    line.end();
  }
}

async function deliver(line: DelayLine<Uint8Array>, to: Deno.Conn): Promise<void> {
  for await (const chunk of line.arrivals()) await write(to, chunk);
  await to.closeWrite();
}

async function write(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await to.write(bytes.subarray(written));
}
