import type { HashPool } from "../../hash_pool.ts";
import { makeRow, rejectionReason, type Target } from "../table/table.ts";
import type { JobWork } from "./queue_worker.ts";

/** Hashes the passwords of jobs. */
export function hashWork(pool: Pick<HashPool, "hash">, target: Target): JobWork {
  return {
    columns: target.carried,
    rows: false,
    async compute({ id, password, carried }, { signal }) {
      const hash = await pool.hash(password!, { signal });
      return makeRow(target, { id, hash, carried: target.carried.map((name) => carried[name]) });
    },
    reason: (error, row) => rejectionReason(error, row?.[target.hash]),
  };
}
