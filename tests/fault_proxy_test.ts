import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { isPending, rejection } from "./_helpers.ts";
import { FaultProxy, type ProxiedConnection } from "./fixtures/fault_proxy.ts";
import { type Mark, WireFraming } from "./fixtures/wire_framing.ts";

const ignore = Deno.permissions.querySync({ name: "net" }).state !== "granted";

/** The two ends of a connection through the proxy. */
interface Ends {
  readonly proxy: FaultProxy;
  readonly connection: ProxiedConnection;
  readonly client: Deno.TcpConn;
  readonly server: Deno.TcpConn;
}

function proxyTest(name: string, fn: (ends: Ends) => Promise<void>): void {
  Deno.test({
    name,
    ignore,
    async fn() {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      await using proxy = await FaultProxy.start("127.0.0.1", listener.addr.port);
      const opened = proxy.nextConnection;
      const address = { hostname: "127.0.0.1", port: proxy.port };
      using client = await Deno.connect(address);
      using server = await listener.accept();
      const connection = await opened;
      await send(client, STARTUP);
      assertEquals(await receive(server, STARTUP.length), STARTUP);
      await fn({ proxy, connection, client, server });
    },
  });
}

const STARTUP = new Uint8Array([0, 0, 0, 9, 0, 3, 0, 0, 0]);

/** A message whose payload is so long. */
function message(type: string, payload: number): Uint8Array {
  const bytes = new Uint8Array(5 + payload).fill(0x5a); // "Z", which is no message there
  bytes[0] = type.charCodeAt(0);
  new DataView(bytes.buffer).setUint32(1, 4 + payload);
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

async function send(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
}

/** So many bytes, or fewer where the connection ends before. */
async function receive(from: Deno.Conn, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let received = 0;
  while (received < count) {
    const read = await from.read(bytes.subarray(received));
    if (read === null) break;
    received += read;
  }
  return bytes.subarray(0, received);
}

function marksOf(chunks: Uint8Array[], direction: "toServer" | "toClient"): string[] {
  const framing = new WireFraming(direction);
  let before = 0;
  return chunks.flatMap((chunk) => {
    const marks = [...framing.marks(chunk)].map(({ at, edge, type }: Mark) =>
      `${type} ${edge} ${before + at}`
    );
    before += chunk.length;
    return marks;
  });
}

Deno.test("WireFraming.marks() finds the same messages however the bytes are cut", () => {
  const cancel = new Uint8Array([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]);
  const streams = [
    ["toClient", joined(message("R", 8), message("Z", 1), message("C", 0), message("D", 300)), [
      ..."R start 0,R end 13,Z start 13,Z end 19".split(","),
      ..."C start 19,C end 24,D start 24,D end 329".split(","),
    ]],
    ["toServer", joined(STARTUP, message("Q", 2)), ["startup end 9", "Q start 9", "Q end 16"]],
    ["toServer", cancel, ["cancel end 16"]],
  ] as const;
  for (const [direction, bytes, expected] of streams) {
    assertEquals(marksOf([bytes], direction), [...expected]);
    for (let size = 1; size < 20; size++) {
      const chunks = Array.from(
        { length: Math.ceil(bytes.length / size) },
        (_, i) => bytes.subarray(i * size, (i + 1) * size),
      );
      assertEquals(marksOf(chunks, direction), [...expected], `in chunks of ${size}`);
    }
  }
});

proxyTest("FaultProxy forwards megabytes both ways, and the end of each side", async (ends) => {
  const { client, server, connection } = ends;
  for (const [from, to] of [[client, server], [server, client]]) {
    const bytes = message("d", 3_000_000);
    const [, received] = await Promise.all([send(from, bytes), receive(to, bytes.length)]);
    assertEquals(received.length, bytes.length);
    assert(received.every((byte, i) => byte === bytes[i]));
  }
  assertEquals(connection.toClient.bytes, 3_000_005);
  await client.closeWrite();
  assertEquals(await receive(server, 1), new Uint8Array());
  await send(server, message("Z", 1));
  assertEquals((await receive(client, 6)).length, 6);
  await server.closeWrite();
  assertEquals(await receive(client, 1), new Uint8Array());
  await connection.closed;
});

proxyTest("ProxiedConnection.cut() ends both sides", async ({ connection, client, server }) => {
  connection.cut();
  assertEquals(await receive(client, 1), new Uint8Array());
  assertEquals(await receive(server, 1), new Uint8Array());
  await connection.closed;
});

proxyTest("ProxiedConnection.reset() is an error to both sides", async (ends) => {
  ends.connection.reset();
  await assertRejects(() => receive(ends.client, 1), Deno.errors.ConnectionReset);
  await assertRejects(() => receive(ends.server, 1), Deno.errors.ConnectionReset);
  await ends.connection.closed;
});

proxyTest("FaultProxy passes a reset of the server's on", async ({ proxy }) => {
  const opened = proxy.nextConnection;
  await using front = await FaultProxy.start("127.0.0.1", proxy.port);
  const address = { hostname: "127.0.0.1", port: front.port };
  using client = await Deno.connect(address);
  const behind = await opened;
  behind.reset();
  await assertRejects(() => receive(client, 1), Deno.errors.ConnectionReset);
});

proxyTest("Lane.stall() holds one direction back until resume()", async (ends) => {
  const { connection, client, server } = ends;
  connection.toServer.stall();
  await send(client, message("Q", 10));
  await send(server, message("Z", 1));
  assertEquals((await receive(client, 6)).length, 6);
  const received = receive(server, 15);
  assert(await isPending(received));
  assertEquals(connection.toServer.bytes, STARTUP.length);
  connection.toServer.resume();
  assertEquals(await received, message("Q", 10));
});

proxyTest("Lane.stall() holds the end of a side back too", async ({ connection, ...ends }) => {
  connection.stall();
  ends.client.close();
  const received = receive(ends.server, 1);
  assert(await isPending(received));
  connection.resume();
  assertEquals(await received, new Uint8Array());
});

proxyTest("Lane.holdBefore() stalls between two messages", async (ends) => {
  const { connection, client, server } = ends;
  const held = connection.toClient.holdBefore("Z", 2);
  const complete = connection.toClient.message("C");
  const bytes = joined(message("C", 3), message("Z", 1), message("C", 3), message("Z", 1));
  await send(server, bytes);
  await Promise.all([held, complete]);
  assertEquals(connection.toClient.bytes, bytes.length - 6);
  assertEquals(await receive(client, bytes.length - 6), bytes.subarray(0, -6));
  const rest = receive(client, 6);
  assert(await isPending(rest));
  connection.resume();
  assertEquals(await rest, message("Z", 1));
});

proxyTest("Lane.dropAfter() cuts in the middle of a message", async ({ connection, ...ends }) => {
  connection.toServer.dropAfter(7, "cut");
  await send(ends.client, message("Q", 10));
  assertEquals(await receive(ends.server, 100), message("Q", 10).subarray(0, 7));
  await connection.closed;
});

proxyTest("Lane.dropAfter() resets, over several chunks", async ({ connection, ...ends }) => {
  connection.toClient.dropAfter(20, "reset");
  await send(ends.server, message("Z", 10));
  assertEquals((await receive(ends.client, 15)).length, 15);
  await send(ends.server, message("Z", 10));
  await assertRejects(() => receive(ends.client, 100), Deno.errors.ConnectionReset);
  assertEquals(connection.toClient.bytes, 20);
});

proxyTest("Lane.dropAfter() stalls, and what it held back is not lost", async (ends) => {
  const { connection, client, server } = ends;
  connection.toServer.dropAfter(7, "stall");
  await send(client, message("Q", 10));
  assertEquals(await receive(server, 7), message("Q", 10).subarray(0, 7));
  const rest = receive(server, 8);
  assert(await isPending(rest));
  connection.resume();
  assertEquals(await rest, message("Q", 10).subarray(7));
});

proxyTest("Lane.delay keeps the order", async ({ connection, client, server }) => {
  connection.toServer.delay = 5;
  const messages = ["P", "B", "E", "S"].map((type, i) => message(type, i));
  for (const one of messages) await send(client, one);
  assertEquals(await receive(server, 26), joined(...messages));
});

proxyTest("Lane.delay leaves no timer to a connection that is cut", async (ends) => {
  ends.connection.toServer.delay = 3_600_000;
  await send(ends.client, message("Q", 1));
  assert(await isPending(receive(ends.server, 1)));
  ends.connection.cut();
  await ends.connection.closed;
});

proxyTest("Lane.message() rejects where the connection ends before", async (ends) => {
  const error = rejection(ends.connection.toClient.message("Z"));
  ends.client.close();
  ends.server.close();
  assertInstanceOf(await error, Error);
  await assertRejects(
    () => ends.connection.toClient.message("Z"),
    Error,
    "the connection has ended",
  );
});

proxyTest("FaultProxy.refuse() takes no connection until accept()", async (ends) => {
  const { proxy, connection, client, server } = ends;
  proxy.refuse();
  const address = { hostname: "127.0.0.1", port: proxy.port };
  await assertRejects(() => Deno.connect(address), Deno.errors.ConnectionRefused);
  await send(client, message("Q", 1));
  assertEquals((await receive(server, 6)).length, 6);
  await proxy.accept();
  const opened = proxy.nextConnection;
  using _again = await Deno.connect(address);
  assert(await opened !== connection);
  assertEquals([proxy.opened, proxy.connections.size], [2, 2]);
});

Deno.test("FaultProxy resets its client where no server is", { ignore }, async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await using proxy = await FaultProxy.start("127.0.0.1", port);
  using client = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  await assertRejects(() => receive(client, 1), Deno.errors.ConnectionReset);
});
