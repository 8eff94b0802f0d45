import { assert, assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import type { Account, AsyncBatcher, Outcome } from "../batcher.ts";
import {
  type PostgresWriter,
  postgresWriter,
  type PostgresWriterOptions,
  type Row,
  type RowOutcome,
} from "../postgres.ts";
import { connect, DATABASE, withSchema } from "./_database.ts";
import { rejection, settle } from "./_helpers.ts";
import { needing } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { FaultProxy } from "./fixtures/fault_proxy.ts";

/** A table without a key: a row that is saved twice is there twice. */
export const WITHOUT_KEY = "create table users (id int, hash text)";
export const WITH_KEY = "create table users (id int primary key, hash text)";
export const USERS = { table: "users", columns: ["id", "hash"] };
export const IGNORE = { target: ["id"], action: "ignore" } as const;

/** Calls that have not come back. */
const calls = new Set<Promise<unknown>>();

/**
 * A writer whose calls a test can wait for: a batcher does not wait for those that have run out of
 * time.
 */
export function awaitedWriter(sql: Sql, options: PostgresWriterOptions): PostgresWriter {
  const writer = postgresWriter(sql, options);
  return {
    ...writer,
    send(items, batch) {
      const sending = writer.send(items, batch);
      calls.add(sending);
      const forget = () => calls.delete(sending);
      sending.then(forget, forget);
      return sending;
    },
  };
}

/** Resolves when all calls of such writers have come back, those of other tests too. */
export async function allReturned(): Promise<void> {
  await Promise.allSettled(calls);
}

/**
 * Has the driver see that its connection is gone. It says so a few turns before the socket is closed,
 * and loses the statements that it is given in between.
 */
export async function seeLoss(sql: Sql): Promise<void> {
  await rejection(sql`select 1`);
  await settle();
}

export function rowOf(id: number): Row {
  return { id, hash: `hash of ${id}` };
}

export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, i) => from + i);
}

/** How each row ended, by its id. */
export type Endings = ReadonlyMap<number, Outcome>;

/** Adds a row for each id, and tells how each one ended. */
export async function saveAll(
  batcher: AsyncBatcher<Row, RowOutcome>,
  ids: readonly number[],
): Promise<Endings> {
  const endings = new Map<number, Outcome>();
  await Promise.all(ids.map(async (id) => {
    try {
      await batcher.add(rowOf(id));
      endings.set(id, "saved");
    } catch (error) {
      endings.set(id, (error as { outcome?: Outcome }).outcome ?? "failed");
    }
  }));
  return endings;
}

/** How many rows ended in each way. */
export function tally(endings: Endings): Account {
  const account = { added: endings.size, saved: 0, failed: 0, unknown: 0, unsent: 0 };
  for (const outcome of endings.values()) account[outcome]++;
  return account;
}

/**
 * Asserts what a batcher promises: rows that are saved are there exactly once, rows that failed or
 * were not sent are not there, rows whose outcome is unknown are there once or not, and no others.
 */
export async function assertContract(sql: Sql, endings: Endings): Promise<void> {
  const found = new Map(
    (await sql`select id, count(*)::int, min(hash) as hash, count(distinct hash)::int as hashes
      from users group by id`).map(({ id, ...row }) => [id as number, row]),
  );
  const allowed: Record<Outcome, number[]> = {
    saved: [1],
    failed: [0],
    unsent: [0],
    unknown: [0, 1],
  };
  for (const [id, outcome] of endings) {
    const { count, hash, hashes } = found.get(id) ?? { count: 0 };
    assert(allowed[outcome].includes(count), `row ${id} is ${outcome}, and there ${count} times`);
    if (count > 0) assertEquals([hash, hashes], [rowOf(id).hash, 1]);
    found.delete(id);
  }
  assertEquals([...found.keys()], [], "rows that nobody added");
}

/** Asserts that every connection of the pool still answers. */
export async function assertUsable(sql: Sql): Promise<void> {
  const answers = await Promise.all(range(8).map((i) => sql`select ${i}::int as i`));
  assertEquals(answers.map(([{ i }]) => i), range(8));
}

/** What a test of broken connections has at hand. */
export interface Lines {
  /** Straight to the server. */
  readonly sql: Sql;
  /** By way of the proxy. */
  readonly via: Sql;
  readonly proxy: FaultProxy;
  /** A further pool by way of the proxy. */
  connect(options: Parameters<typeof connect>[0]): ReturnType<typeof connect>;
}

/**
 * A test with a schema of its own and a proxy in front of the server; `via` has one connection, and
 * these options.
 */
export function proxyTest(
  name: string,
  fn: (lines: Lines) => Promise<void>,
  viaOptions: Parameters<typeof connect>[0] = {},
): void {
  const run = async (sql: Sql, schema: string) => {
    await using proxy = await FaultProxy.start(sql.options.host[0], sql.options.port[0]);
    const connectVia = (options: Parameters<typeof connect>[0]) =>
      connect({
        host: "127.0.0.1",
        port: proxy.port,
        // The driver fetches types with a promise that nobody handles: a connection that breaks
        // meanwhile ends the program
        fetch_types: false,
        connection: { search_path: schema },
        ...options,
      });
    await using via = await connectVia({ max: 1, ...viaOptions });
    await fn({ sql, via, proxy, connect: connectVia });
    await allReturned();
  };
  waitingTest({ ...needing(name, DATABASE), fn: () => withSchema(run) });
}
