import { assertEquals } from "@std/assert";
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
