import type postgres from "postgres";
import { DATABASE, databaseUrl, withSchema } from "./_database.ts";
import { type Need, needing } from "./_needs.ts";
import { type QueueContext, withQueue } from "./_queue.ts";
import { waitingTest } from "./_waiting.ts";
import { NATS } from "./fixtures/nats_server.ts";

/** What a test of workers works with. */
export interface WorkerContext extends QueueContext {
  readonly sql: postgres.Sql;
  /** The table that workers save to. */
  readonly table: string;
}

/** A test with a NATS server, a folder with a key, and a table for the workers. */
export function workerTest(
  name: string,
  fn: (context: WorkerContext) => Promise<void>,
  ...needs: readonly Need[]
): void {
  const run = async (sql: postgres.Sql, schema: string) => {
    await sql`create table users (id int primary key, hash text not null)`;
    const table = `${schema}.users`;
    const target = { table, databaseUrl: databaseUrl() };
    await withQueue((context) => fn({ ...context, sql, table }), target);
  };
  waitingTest({ ...needing(name, DATABASE, NATS, ...needs), fn: () => withSchema(run) });
}
