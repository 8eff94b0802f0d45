import { assert, assertEquals } from "@std/assert";
import type { Socket } from "node:net";
import { type Clock, DelayLine } from "../scripts/bench/latency/delay_line.ts";
import { LatencyProxy } from "../scripts/bench/latency/proxy.ts";
import { allowed } from "./_permissions.ts";
import { isPending, settle } from "./_helpers.ts";

/** A clock that stands still until the test moves it. */
class ManualClock implements Clock {
  #now = 0;
  #sleepers: { time: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  until(time: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ time, wake }));
  }

  async moveTo(now: number): Promise<void> {
    this.#now = now;
    for (const { wake } of this.#sleepers.filter(({ time }) => time <= now)) wake();
    this.#sleepers = this.#sleepers.filter(({ time }) => time > now);
    await settle();
  }
}

function makeLine({ delay = 10, capacity = 100 } = {}) {
  const clock = new ManualClock();
  const line = new DelayLine<Uint8Array>(delay, capacity, clock);
  const arrived: number[] = [];
  const ended = (async () => {
    for await (const [first] of line.arrivals()) arrived.push(first);
  })();
  return { clock, line, arrived, ended };
}

Deno.test("DelayLine hands out a chunk when its time has come, and not before", async () => {
  const { clock, line, arrived } = makeLine();
  line.push(Uint8Array.of(1));
  await clock.moveTo(9.9);
  assertEquals(arrived, []);
  await clock.moveTo(10);
  assertEquals(arrived, [1]);
});

Deno.test("DelayLine has many chunks on their way at once, in order", async () => {
  const { clock, line, arrived } = makeLine();
  for (const chunk of [1, 2, 3]) {
    line.push(Uint8Array.of(chunk));
    await clock.moveTo(chunk);
  }
  await clock.moveTo(10);
  assertEquals(arrived, [1]);
  // Had they waited for each other, the last would come at 30.
  await clock.moveTo(12);
  assertEquals(arrived, [1, 2, 3]);
});

Deno.test("DelayLine.push() waits while too much is on its way", async () => {
  const { clock, line, arrived } = makeLine({ capacity: 4 });
  await line.push(new Uint8Array(4));
  const over = line.push(new Uint8Array(1));
  assert(await isPending(over));
  await clock.moveTo(10);
  await over;
  assertEquals(arrived.length, 2);
});

Deno.test("DelayLine.end() lets arrive what is on its way", async () => {
  const { clock, line, arrived, ended } = makeLine();
  line.push(Uint8Array.of(1));
  line.end();
  assert(await isPending(ended));
  await clock.moveTo(10);
  await ended;
  assertEquals(arrived, [1]);
});

function proxyTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `LatencyProxy ${name}`, ignore: !allowed, fn });
}

/** A server whose connections the test serves, and a socket to it through a proxy. */
async function connected(delay = 1) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const proxy = await LatencyProxy.start([{ hostname: "127.0.0.1", port: listener.addr.port }]);
  const dial = await proxy.open(delay);
  const [socket, server] = await Promise.all([dial(), listener.accept()]);
  return {
    listener,
    proxy,
    dial,
    socket,
    server,
    async [Symbol.asyncDispose]() {
      const closed = socket.destroyed || new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => {});
      socket.destroy();
      await closed;
      proxy[Symbol.dispose]();
      try {
        server.close();
      } catch {
        // The test has closed it.
      }
      listener.close();
    },
  };
}

async function readAll(socket: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(new Uint8Array(chunk));
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

proxyTest("passes megabytes in both directions as they are", async () => {
  await using link = await connected();
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  const sent = new Uint8Array(3_000_000).map((_, i) => bytes[i % 65_521]);
  link.socket.end(sent);
  // The server sends back what comes, and closes when that ends.
  link.server.readable.pipeTo(link.server.writable);
  assertEquals(await readAll(link.socket), sent);
});

proxyTest("passes requests on while answers are still on their way", async () => {
  await using link = await connected(200);
  const seen: string[] = [];
  const decoder = new TextDecoder();
  const answers = Promise.withResolvers<void>();
  link.socket.on("data", (data) => {
    seen.push(`answer ${decoder.decode(data)}`);
    answers.resolve();
  });
  const buffer = new Uint8Array(10);
  for (const request of ["a", "b", "c"]) {
    link.socket.write(request);
    const length = await link.server.read(buffer);
    seen.push(`request ${decoder.decode(buffer.subarray(0, length!))}`);
    await link.server.write(new TextEncoder().encode(request));
  }
  await answers.promise;
  assertEquals(seen.slice(0, 3), ["request a", "request b", "request c"]);
  assert(seen[3].startsWith("answer a"));
});

proxyTest("closes the client's connection when the server closes its own", async () => {
  await using link = await connected();
  const read = readAll(link.socket);
  await link.server.write(Uint8Array.of(7));
  link.server.close();
  assertEquals(await read, Uint8Array.of(7));
});

proxyTest("closes the server's connection when the client closes its own", async () => {
  await using link = await connected();
  link.socket.destroy();
  assertEquals(await link.server.read(new Uint8Array(1)), null);
});

proxyTest("closes the connection where no server listens", async () => {
  await using link = await connected();
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  gone.close();
  using proxy = await LatencyProxy.start([{ hostname: "127.0.0.1", port: gone.addr.port }]);
  const socket = await (await proxy.open(1))();
  assertEquals(await readAll(socket), new Uint8Array());
  assert(link.server);
});

proxyTest("lets in nobody who does not know its token", async () => {
  await using link = await connected();
  const { remotePort } = link.socket;
  using stranger = await Deno.connect({ hostname: "127.0.0.1", port: remotePort! });
  await stranger.write(new Uint8Array(100));
  // Unread bytes are thrown away, which resets the connection.
  const end = await stranger.read(new Uint8Array(1)).catch(() => null);
  assertEquals(end, null);
});

proxyTest(
  "takes the first of several servers that answers, and names the first to TLS",
  async () => {
    await using link = await connected();
    const { port } = link.listener.addr as Deno.NetAddr;
    using proxy = await LatencyProxy.start([{ path: "/no/such/socket" }, {
      hostname: "127.0.0.1",
      port,
    }]);
    const [socket, server] = await Promise.all([(await proxy.open(0))(), link.listener.accept()]);
    socket.write("x");
    assertEquals(await server.read(new Uint8Array(1)), 1);
    assertEquals((socket as Socket & { host: string }).host, "/no/such/socket");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    await closed;
    server.close();
  },
);
