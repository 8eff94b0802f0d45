import { assertEquals } from "@std/assert";
import type { Sql } from "postgres";
import * as batcher from "../batcher.ts";
import * as burst from "../mod.ts";
import * as hashPool from "../hash_pool.ts";
import * as pipeline from "../pipeline.ts";
import * as pool from "../pool.ts";
import * as postgres from "../postgres.ts";
import * as workload from "../workload.ts";

Deno.test("mod.ts exports these names and no others", () => {
  assertEquals(Object.keys(burst).sort(), [
    "AsyncBatcher",
    "FlushError",
    "HashPool",
    "OutcomeError",
    "PipelineError",
    "PoolClosedError",
    "PostgresText",
    "PostgresWriteError",
    "UnknownOutcomeError",
    "UnsentError",
    "WorkError",
    "WorkPool",
    "WorkerStartError",
    "calibrate",
    "checkHash",
    "checkPassword",
    "describeTable",
    "hashPassword",
    "hashPasswordSync",
    "hashPasswordsSync",
    "parametersOf",
    "postgresLookup",
    "postgresOptions",
    "postgresWriter",
    "randomPassword",
    "runPipeline",
    "scryptPassword",
    "verifyPassword",
  ]);
});

Deno.test("mod.ts exports what its modules do", () => {
  const names = [batcher, hashPool, pipeline, pool, postgres, workload].flatMap((module) =>
    Object.keys(module)
  )
    .sort();
  assertEquals(Object.keys(burst).sort(), names);
});

const { AsyncBatcher, postgresWriter, WorkPool } = burst;

/** Compiles only where the types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;

function same<A, B>(_: Same<A, B>): void {}

// A row as people type it: an interface has no index signature.
interface User {
  id: number;
  hash: string;
  note?: string;
}

/** Never called: what it is about is whether it compiles. */
function compiled(sql: Sql): void {
  const writer = postgresWriter<User>(sql, {
    table: "users",
    columns: ["id", "hash", "note"],
    conflict: { target: ["id"], action: "update", update: ["hash"] },
  });
  const users = new AsyncBatcher(writer, { sizeOf: (user) => user.hash.length, maxBytes: 9 });
  same<typeof users, burst.AsyncBatcher<User, burst.RowOutcome>>(true);
  const outcome = users.add({ id: 1, hash: "…" });
  same<typeof outcome, Promise<burst.RowOutcome>>(true);
  // @ts-expect-error: a row lacks a column
  users.push({ id: 1 });
  const table = "users";
  const columns = ["id"] as const;
  const key = { target: columns, action: "update" } as const;
  // @ts-expect-error: a column that the row has not
  postgresWriter<User>(sql, { table, columns: ["id", "hsah"] });
  // @ts-expect-error: nor may the key name it
  postgresWriter<User>(sql, { table, columns, conflict: { ...key, target: ["hsah"] } });
  // @ts-expect-error: nor what is updated
  postgresWriter<User>(sql, { table, columns, conflict: { ...key, update: ["hsah"] } });

  const lengths = new AsyncBatcher((words: readonly string[]) =>
    Promise.resolve(words.map((w) => w.length))
  );
  same<typeof lengths, burst.AsyncBatcher<string, number>>(true);
  const saved = new AsyncBatcher((_rows: readonly User[]) => Promise.resolve());
  same<typeof saved, burst.AsyncBatcher<User, void>>(true);
  const sink: burst.Sink<User, "a" | "b"> = {
    send: (rows) => Promise.resolve(rows.map(() => "a")),
  };
  const own = new AsyncBatcher(sink);
  same<typeof own, burst.AsyncBatcher<User, "a" | "b">>(true);
  const mixed = new AsyncBatcher((rows: readonly User[]) =>
    Promise.resolve(rows.map(({ id }) => id > 0 ? id : new Error("negative")))
  );
  same<typeof mixed, burst.AsyncBatcher<User, number>>(true);

  const pool = new WorkPool<{ default(row: User): Promise<bigint> }>("data:text/javascript,");
  const result = pool.run({ id: 1, hash: "…" });
  same<typeof result, Promise<bigint>>(true);
  // @ts-expect-error: it takes a user
  pool.run(1);
}

Deno.test("postgresWriter(), AsyncBatcher and WorkPool are typed by rows, sinks and modules", () => {
  assertEquals(typeof compiled, "function");
});
