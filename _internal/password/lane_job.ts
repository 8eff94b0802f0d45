import { timingSafeEqual } from "node:crypto";
import { parseBcrypt } from "./bcrypt_format.ts";
import type { LaneInput } from "./bcrypt_lanes.ts";
import { checkPassword } from "./password.ts";

/** A password to be hashed in a lane, or, where there is a hash, to be compared with it. */
export interface LaneJob extends LaneInput {
  readonly hash: string | undefined;
  readonly cost: number;
}

/** A password with its cost and salt; nothing if it is not for a lane, but for the workload. */
export function laneJob(
  job: Pick<LaneJob, "password" | "hash">,
  cost: number | undefined,
): LaneJob | undefined {
  if (job.hash !== undefined) {
    const hash = parseBcrypt(job.hash);
    return hash === undefined || !isUsable(job.password) ? undefined : { ...job, ...hash };
  }
  if (cost === undefined) return undefined;
  return { ...job, cost, salt: crypto.getRandomValues(new Uint8Array(16)) };
}

/** What the pool is told, once the password has this hash. */
export function laneResult(job: LaneJob, hash: string): string | boolean {
  if (job.hash === undefined) return hash;
  const encoder = new TextEncoder();
  // The version is not compared: `$2a$` and `$2y$` have been `$2b$` all along.
  const [a, b] = [hash, job.hash].map((text) => encoder.encode(text.slice("$2b$".length)));
  return timingSafeEqual(a, b);
}

function isUsable(password: string): boolean {
  try {
    checkPassword(password);
    return true;
  } catch {
    return false;
  }
}
