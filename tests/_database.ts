import postgres from "postgres";
import { AsyncBatcher } from "../batcher.ts";
import { postgresWriter, type PostgresWriterOptions, type Row } from "../postgres.ts";
import { ACCOUNT, type Need, needing } from "./_needs.ts";
import { allowed } from "./_permissions.ts";
import { createDatabase } from "./fixtures/shared_server.ts";

const given = allowed ? Deno.env.get("DATABASE_URL") ?? "" : "";

/** What tests of a database cannot do without. */
export const DATABASE: Need = given !== "" ? { name: "DATABASE_URL", met: true } : ACCOUNT;

// Created outside any test, so that no test is blamed for what the server needs.
const url = given === "" && DATABASE.met ? await createDatabase() : given;

/** The database that `DATABASE_URL` names, or one of this test file's own on an embedded server. */
export function databaseUrl(): string {
  return url;
}

/** A connection pool for one test, already connected, that leaves no timer behind. */
export async function connect(
  options: postgres.Options<Record<string, never>> = {},
): Promise<postgres.Sql & AsyncDisposable> {
  const sql = postgres(databaseUrl(), {
    max: 4,
    max_lifetime: null,
    onnotice: () => {},
    backoff: (n: number) => Math.min(0.2 * n, 1),
    ...options,
  });
  await sql`select 1`;
  return Object.assign(sql, { [Symbol.asyncDispose]: () => sql.end({ timeout: 1 }) });
}

/** Does something in a schema of its own, first on the search path, that is gone afterwards. */
export async function withSchema(
  fn: (sql: postgres.Sql, schema: string) => Promise<void>,
): Promise<void> {
  const schema = `burst_test_${crypto.randomUUID().slice(0, 8)}`;
  await using admin = await connect({ max: 1 });
  await admin`create schema ${admin(schema)}`;
  try {
    await using sql = await connect({ connection: { search_path: schema } });
    await fn(sql, schema);
  } finally {
    await admin`drop schema ${admin(schema)} cascade`;
  }
}

/** A test with a schema of its own. */
export function databaseTest(
  name: string,
  fn: (sql: postgres.Sql, schema: string) => Promise<void>,
  ...needs: readonly Need[]
): void {
  Deno.test({ ...needing(name, DATABASE, ...needs), fn: () => withSchema(fn) });
}

/** Saves rows, and tells of each what its promise settled with. */
export async function save(
  sql: postgres.Sql,
  rows: Row[],
  options: PostgresWriterOptions,
  bisect = true,
): Promise<unknown[]> {
  const writer = postgresWriter(sql, options);
  // However busy the machine is, they leave together.
  await using batcher = new AsyncBatcher(writer, { maxItems: 10_000, linger: 60_000, bisect });
  const saving = Promise.allSettled(rows.map((row) => batcher.add(row)));
  batcher.flush().catch(() => {}); // each row is told how it ended
  const results = await saving;
  return results.map((result) => result.status === "fulfilled" ? result.value : result.reason);
}
