import type { MessagePort } from "node:worker_threads";

/** The name of the pool's workers, by which the module knows that it was loaded to be one. */
export const WORKER_NAME = "burst-hash-pool";

/** How a pool hashes. */
export type HashSettings =
  | { readonly algorithm: "bcrypt"; readonly cost: number }
  | {
    readonly algorithm: "scrypt";
    readonly N: number;
    readonly r: number;
    readonly p: number;
  };

/** What hashes with bcrypt. */
export type HashEngine = "auto" | "lanes" | "bcryptjs";

/** One password to be hashed, or, where there is a hash, to be compared with it. */
export interface Job {
  readonly id: number;
  readonly password: string;
  readonly hash: string | undefined;
}

/** What a worker has to say of a job; nothing where it was told to skip it. */
export type JobResult = string | boolean | Error | undefined;

/** What the pool tells a worker: first how to hash, then what, in groups. */
export type ToWorker =
  | {
    readonly type: "start";
    readonly settings: HashSettings;
    readonly engine: HashEngine;
    /** A port that nothing is sent through. It closes when the worker ends, however that happens. */
    readonly lifeline: MessagePort;
  }
  | { readonly type: "group"; readonly jobs: readonly Job[] }
  | { readonly type: "skip"; readonly id: number };

/** What a worker tells the pool: that it has been loaded, then results. */
export type FromWorker =
  | {
    readonly type: "ready";
    /** Most passwords that it could hash at once, with bcrypt. */
    readonly lanes?: number;
  }
  /** It cannot hash in lanes. It goes on with bcryptjs where it may choose, and with nothing else. */
  | { readonly type: "noLanes"; readonly reason: string }
  | { readonly type: "results"; readonly results: readonly (readonly [number, JobResult])[] };
