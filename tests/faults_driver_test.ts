// What postgres.js does wrong when a connection breaks, and how little comes of it.
import { Socket } from "node:net";
import { assertEquals } from "@std/assert";
import { postgresOptions, type PostgresWriteError, postgresWriter, type Row } from "../postgres.ts";
import { rejection, settle } from "./_helpers.ts";
import {
  assertUsable,
  IGNORE,
  type Lines,
  proxyTest,
  rowOf,
  seeLoss,
  USERS,
  WITH_KEY,
  WITHOUT_KEY,
} from "./_faults.ts";

/** Resets the connection under a statement, and does something as soon as that is rejected. */
async function onReset<T>({ via, proxy }: Lines, then: () => T): Promise<T> {
  const [connection] = proxy.connections;
  const answered = connection.toClient.holdBefore("Z");
  const rejected = via`select 1`.then(() => {
    throw new Error("It was not reset");
  }, then);
  await answered;
  connection.reset();
  return await rejected;
}

/** The sockets of the two tests that look at them. */
const plainSockets: Socket[] = [];
const ownSockets: Socket[] = [];

/** The same socket, kept where a test finds it. */
function keep(sockets: Socket[], socket: Socket): Socket {
  sockets.push(socket);
  return socket;
}

const plainSocket = {
  socket: ({ host, port }: { host: string[]; port: number[] }) =>
    keep(plainSockets, new Socket().connect(port[0], host[0])),
} as typeof postgresOptions;

const ownSocket = {
  ...postgresOptions,
  connect_timeout: 2,
  socket: (options: unknown) =>
    keep(ownSockets, (postgresOptions.socket as (options: unknown) => Socket)(options)),
} as typeof postgresOptions;

/** Cuts the connection once the driver has read all that comes before a message. */
async function cutBefore(
  { proxy }: Lines,
  message: string,
  send: () => Promise<unknown>,
): Promise<PostgresWriteError> {
  const [connection] = proxy.connections;
  const held = connection.toClient.holdBefore(message);
  const error = rejection(send());
  await held;
  await settle();
  connection.cut();
  return await error as PostgresWriteError;
}

proxyTest(
  "postgresWriter() takes no row for saved that the driver loses",
  async (lines) => {
    const { sql, via, proxy } = lines;
    await sql.unsafe(WITHOUT_KEY);
    const writer = postgresWriter(via, USERS);
    const { signal } = new AbortController();
    const batch = { id: "1", attempt: 1, signal };
    await writer.send([rowOf(1)], batch); // prepares the statement
    const sent = Promise.withResolvers<{ answer: Promise<readonly unknown[]> }>();
    // The driver writes at once what is larger than 1 kB, here to a socket that has an error
    const row = { id: 2, hash: "x".repeat(2_000) };
    plainSockets.pop()!.once("error", () => {
      sent.resolve({ answer: writer.send([row], batch).catch((error) => [error]) });
    });
    for (const connection of proxy.connections) connection.reset();
    const { answer } = await sent.promise;
    await settle();
    await via`select 1`; // on a new connection, whose greeting the driver takes for the answer
    const [result] = await answer;
    assertEquals((result as { outcome?: string }).outcome, "unknown");
    assertEquals((await sql`select from users`).count, 1);
  },
  plainSocket,
);

proxyTest(
  "postgresWriter() finds the answer after one that broke off behind its row",
  async (lines) => {
    const { sql, via } = lines;
    await sql.unsafe(WITH_KEY);
    const writer = postgresWriter(via, { ...USERS, conflict: IGNORE });
    const { signal } = new AbortController();
    const send = (id: number) => writer.send([rowOf(id)], { id: `${id}`, attempt: 1, signal });
    await send(1); // prepares the statement
    const { outcome } = await cutBefore(lines, "C", () => send(2));
    assertEquals(outcome, "unknown");
    assertEquals(await send(3), ["inserted"]);
    assertEquals(await send(3), ["skipped"]);
  },
  { ...postgresOptions },
);

proxyTest("postgresWriter() takes no error of another statement for its own", async (lines) => {
  const { sql, via } = lines;
  await sql.unsafe("create table users (id int primary key, hash text check (hash <> 'bad'))");
  const writer = postgresWriter(via, { ...USERS, conflict: IGNORE });
  const { signal } = new AbortController();
  const send = (row: Row) => writer.send([row], { id: "1", attempt: 1, signal });
  await send(rowOf(1)); // prepares the statement
  await cutBefore(lines, "Z", () => send({ id: 2, hash: "bad" }));
  const { code, outcome, retryable } = await rejection(send(rowOf(3))) as PostgresWriteError;
  assertEquals([code, outcome, retryable], ["CONNECTION_CLOSED", "failed", true]);
  assertEquals(await send(rowOf(3)), ["inserted"]);
}, { ...postgresOptions });

proxyTest("postgresOptions has a statement answered that comes with an error", async (lines) => {
  const { via } = lines;
  const { second } = await onReset(lines, () => ({
    second: via`select 2`.catch(({ code }) => code),
  }));
  assertEquals(await second, "ECONNRESET"); // it would wait for ever
  await assertUsable(via);
}, { ...postgresOptions });

proxyTest(
  "postgresOptions reconnects where a connection ends in a statement's turn",
  async (lines) => {
    const { via } = lines;
    const socket = ownSockets.pop()!;
    const lost = via`select 1`.catch(({ code }) => code);
    await Promise.resolve(); // the driver has it, and writes it at the end of the turn
    await Promise.resolve();
    socket.emit("close", false);
    socket.destroy();
    assertEquals(await lost, "CONNECTION_CLOSED");
    await assertUsable(via); // CONNECT_TIMEOUT, as the driver would not write again
  },
  ownSocket,
);

proxyTest(
  "postgresOptions keeps a reset during start-up from ending the program",
  async (lines) => {
    const { via, proxy } = lines;
    proxy.cut();
    await seeLoss(via);
    const isReset = Promise.withResolvers<void>();
    let opened = 0;
    proxy.onOpen = (connection) => {
      if (opened++ > 0) return;
      // Where the driver would ask for the types
      connection.toClient.message("Z").then(() => connection.reset()).then(isReset.resolve);
    };
    // On a busy machine the reset comes after the answer, and the next statement meets it.
    await via`select 1`.catch(() => {});
    await isReset.promise;
    await via`select 1`.catch(() => {});
    await assertUsable(via);
  },
  { ...postgresOptions },
);
