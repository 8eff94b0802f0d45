import { postgresWriter } from "../../postgres.ts";
import { type Database, openDatabase } from "../../scripts/database/connect.ts";
import { startEmbeddedServer } from "../../scripts/database/embedded.ts";
import { burst } from "./burst.ts";
import { CONNECTIONS, type Peer, type Sink } from "./peer.ts";

/** A row to be saved, as long as one of the benchmark's. */
export interface Row {
  readonly id: number;
  readonly hash: string;
  [column: string]: unknown;
}

/** A table that all peers fill, one after the other. */
export interface Table extends AsyncDisposable {
  /** Starts a peer that saves to the table: ours with `postgresWriter`. */
  start(peer: Peer): (row: Row) => Promise<unknown>;
  clear(): Promise<void>;
  /** How many of these rows are not in the table, or more than once. */
  countWrong(rows: readonly Row[]): Promise<number>;
}

/** Rows with different ids. */
export function makeRows(count: number): Row[] {
  return Array.from({ length: count }, (_, id) => ({
    id,
    hash: `$2b$04$${String(id).padStart(53, "0")}`,
  }));
}

/** Creates the table, which is dropped in the end. */
export async function createTable({ sql }: Pick<Database, "sql">): Promise<Table> {
  const name = `burst_peers_${crypto.randomUUID().slice(0, 8)}`;
  // No key: a row that is saved twice is to be found, and not refused.
  await sql`create table ${sql(name)} (id integer not null, hash text not null)`;
  const writer = postgresWriter(sql, { table: name, columns: ["id", "hash"] });

  /** The statements that one would write for any of the peers, of the kind that the writer has. */
  const byHand: Sink<Row> = {
    async saveMany(rows) {
      // What the driver makes of arrays, which it needs to know the types for.
      const ids = `{${rows.map(({ id }) => id)}}`;
      const hashes = `{${rows.map(({ hash }) => `"${hash}"`)}}`;
      await sql`insert into ${sql(name)} (id, hash)
        select * from unnest(${ids}::integer[], ${hashes}::text[])`;
    },
    saveOne: ({ id, hash }) => sql`insert into ${sql(name)} (id, hash) values (${id}, ${hash})`,
  };
  const ours: Sink<Row> = { ...byHand, saveMany: (rows, batch) => writer.send(rows, batch!) };

  await writer.check();
  // Connections are open before anything is measured.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => sql`select pg_sleep(0.02)`));
  return {
    start: (peer) => peer.start(peer === burst ? ours : byHand),
    clear: async () => void await sql`truncate ${sql(name)}`,
    async countWrong(rows) {
      const saved = await sql`select id, count(*)::integer as times from ${sql(name)} group by id`;
      const times = new Map(saved.map(({ id, times }) => [id, times]));
      return rows.filter(({ id }) => times.get(id) !== 1).length;
    },
    [Symbol.asyncDispose]: async () => void await sql`drop table ${sql(name)}`,
  };
}

/** For `deno bench`, which has no end at which the table could be dropped: its server goes instead. */
export async function createTableOnOwnServer(): Promise<Table> {
  const { url } = await startEmbeddedServer();
  return await createTable(await openDatabase({ url }));
}
