import type { HashSettings } from "./hash_protocol.ts";
import type { Entry } from "./queue.ts";
import { parseScrypt } from "../password/scrypt_format.ts";

/** One password in the pool: to be hashed, or, where there is a hash, to be compared with it. */
export interface HashRequest {
  /** Empty once the request is settled, whoever still holds it. */
  password: string;
  readonly hash: string | undefined;
  /** The work, in rounds of bcrypt, of about 0.08 ms each. */
  readonly rounds: number;
  settled: boolean;
  /** Whether a worker has died with it in hand. */
  retried: boolean;
}

/** A request in the queue, or in a worker's hand. Its `bytes` there are its rounds, up to a group's. */
export type HashTask = Entry<HashRequest, string | boolean>;

/** The work of a request, in rounds of bcrypt. */
export function roundsOf(hash: string | undefined, settings: HashSettings): number {
  if (hash === undefined) {
    return settings.algorithm === "bcrypt" ? 2 ** settings.cost : scryptRounds(settings);
  }
  const cost = /^\$2[aby]\$(\d\d)\$/.exec(hash)?.[1];
  if (cost !== undefined) return 2 ** Number(cost);
  const scrypt = parseScrypt(hash);
  return scrypt === undefined ? 1 : scryptRounds(scrypt);
}

function scryptRounds({ N, r, p }: { N: number; r: number; p: number }): number {
  return Math.ceil(N * r * p / 256);
}
