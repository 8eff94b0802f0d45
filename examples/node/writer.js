// The same with `postgresWriter`, which needs postgres.js: it may live beside `pg` in one program. It
// retries, finds bad rows, and tells of each row whether it is new.
import process from "node:process";
import { AsyncBatcher, HashPool, postgresOptions, postgresWriter } from "@burst/batcher";
import postgres from "postgres";

const sql = postgres(process.env.DATABASE_URL, postgresOptions);
await sql`create table if not exists users (id int primary key, hash text not null)`;
const batcher = new AsyncBatcher(postgresWriter(sql, {
  table: "users",
  columns: ["id", "hash"],
  conflict: { target: ["id"], action: "ignore" },
}));
const pool = new HashPool({ cost: 10 });
const users = Array.from({ length: 100 }, (_, id) => ({ id, password: `password ${id}` }));
for await (const { item, hash } of pool.map(users, (user) => user.password)) {
  await batcher.push({ id: item.id, hash });
}
const { saved, failures = [] } = await batcher.close();
console.log(`${saved} saved, ${failures.length} not`); // 100 saved, 0 not
await pool.close();
await sql.end({ timeout: 5 });
