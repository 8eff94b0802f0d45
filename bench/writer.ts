/**
 * How fast `postgresWriter` saves rows that are pushed, against the statement that one would write by
 * hand: `unnest` of typed arrays, which tells nothing of what became of a row. Both send 500 rows in a
 * batch over ten connections. They run in turns, and each round gives a ratio.
 *
 * ```sh
 * deno run -A bench/writer.ts 300000 5
 * ```
 *
 * The arguments are the rows and the rounds. `DATABASE_URL` names the server; without it, one of its own
 * is started.
 */
import { AsyncBatcher } from "../batcher.ts";
import { postgresWriter } from "../postgres.ts";
import { openDatabase } from "../scripts/database/connect.ts";
import { median } from "../scripts/measure/statistics.ts";

const [count, rounds] = [Deno.args[0] ?? 300_000, Deno.args[1] ?? 5].map(Number);
const BATCH = 500;
const CONNECTIONS = 10;

await using database = await openDatabase({ url: Deno.env.get("DATABASE_URL") });
const { sql } = database;
const name = `burst_writer_${crypto.randomUUID().slice(0, 8)}`;
const rows = Array.from({ length: count }, (_, id) => ({
  id,
  hash: `$2b$04$${String(id).padStart(53, "0")}`,
}));

async function withWriter(conflict: boolean): Promise<void> {
  const writer = postgresWriter<typeof rows[number]>(sql, {
    table: name,
    columns: ["id", "hash"],
    conflict: conflict ? { target: ["id"], action: "ignore" } : undefined,
  });
  const batcher = new AsyncBatcher(writer, { maxInFlight: CONNECTIONS });
  for (const row of rows) await batcher.push(row);
  await batcher.close();
}

async function byHand(conflict: boolean): Promise<void> {
  const ignore = conflict ? sql`on conflict do nothing` : sql``;
  let next = 0;

  async function send(): Promise<void> {
    while (next < count) {
      const batch = rows.slice(next, next += BATCH);
      const ids = `{${batch.map(({ id }) => id)}}`;
      const hashes = `{${batch.map(({ hash }) => `"${hash}"`)}}`;
      await sql`insert into ${sql(name)} (id, hash)
        select * from unnest(${ids}::integer[], ${hashes}::text[]) ${ignore}`;
    }
  }

  await Promise.all(Array.from({ length: CONNECTIONS }, send));
}

/** Rows per second. */
async function measure(save: (conflict: boolean) => Promise<void>, conflict: boolean) {
  await sql`truncate ${sql(name)}`;
  const start = performance.now();
  await save(conflict);
  const seconds = (performance.now() - start) / 1000;
  const [{ saved }] = await sql`select count(*)::integer as saved from ${sql(name)}`;
  if (saved !== count) throw new Error(`${save.name} saved ${saved} of ${count} rows`);
  return count / seconds;
}

await sql`create table ${sql(name)} (id integer primary key, hash text not null)`;
try {
  for (const conflict of [false, true]) {
    const speeds: { writer: number; hand: number }[] = [];
    for (let round = -1; round < rounds; round++) {
      const first = await measure(round % 2 === 0 ? withWriter : byHand, conflict);
      const second = await measure(round % 2 === 0 ? byHand : withWriter, conflict);
      const [writer, hand] = round % 2 === 0 ? [first, second] : [second, first];
      // The first round warms up.
      if (round >= 0) speeds.push({ writer, hand });
    }
    const ratios = speeds.map(({ writer, hand }) => writer / hand);
    const whole = (values: number[]) => Math.round(median(values)).toLocaleString("en");
    console.log(
      `${conflict ? "with conflict: ignore" : "without conflict"}: postgresWriter ` +
        `${whole(speeds.map(({ writer }) => writer))} rows/s, by hand ` +
        `${whole(speeds.map(({ hand }) => hand))} rows/s: ${median(ratios).toFixed(2)} times ` +
        `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    );
  }
} finally {
  await sql`drop table ${sql(name)}`;
}
