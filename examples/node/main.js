// Saves hashes with a Pool of `pg`, in batches, from Node 22 or later.
import process from "node:process";
import { AsyncBatcher, HashPool } from "@burst/batcher";
import pg from "pg";

const db = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });
await db.query("create table if not exists users (id int primary key, hash text not null)");

// A sink is an async function that takes an array: here, one statement for each batch.
const batcher = new AsyncBatcher(async (rows) => {
  await db.query(
    `insert into users (id, hash) select * from unnest($1::int[], $2::text[])
    on conflict (id) do nothing`,
    [rows.map((row) => row.id), rows.map((row) => row.hash)],
  );
}, { idempotent: true, retry: { deadline: 60_000 } });

const pool = new HashPool({ cost: 10 });
const users = Array.from({ length: 100 }, (_, id) => ({ id, password: `password ${id}` }));
for await (const { item, hash } of pool.map(users, (user) => user.password)) {
  await batcher.push({ id: item.id, hash });
}
const { saved, failures = [] } = await batcher.close();
console.log(`${saved} saved, ${failures.length} not`); // 100 saved, 0 not
for (const { item, error } of failures) console.error(item.id, error.message);
await pool.close();
await db.end();
