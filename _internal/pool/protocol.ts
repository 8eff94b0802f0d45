import type { MessagePort } from "node:worker_threads";
import type { Thrown } from "./thrown.ts";

/** By this name, pool and thread know what is theirs: the user's module may post messages of its own. */
export const POOL = "burst-work-pool";

/** What a thread is started with. By `type` it knows that it belongs to a pool. */
export interface ThreadData {
  readonly type: typeof POOL;
  /** URL of the user's module. */
  readonly module: string;
  readonly export: string;
  readonly data: unknown;
  /** Memory of the {@linkcode Board}. */
  readonly board: SharedArrayBuffer;
  /** Where the tasks come in, which no listener of the module hears. */
  readonly tasks: MessagePort;
  /** Whether the pool wants to know when each task was computed. */
  readonly spans: boolean;
}

/** What the pool tells a thread: what to compute, and that nothing more will come. */
export type ToThread =
  | { readonly type: "tasks"; readonly tasks: readonly unknown[] }
  | { readonly type: "end" };

/**
 * Why a task has no result. `"again"`: it was one of several in a call that failed, so nobody knows
 * which of them it was.
 */
export interface Failure {
  readonly reason: "threw" | "result" | "again";
  readonly thrown: Thrown;
}

/** What became of the tasks that a thread has passed since its last answer, in order. */
export interface Answers {
  readonly type: "answers";
  /** One for each task; nothing for those that failed, or had been taken back. */
  readonly results: readonly unknown[];
  readonly failures: readonly (readonly [index: number, failure: Failure])[];
  /** Tasks that were computed, and how long that took in milliseconds. */
  readonly computed: number;
  readonly ms: number;
  /** The beginning and the end of each, in common time, where the pool wants to know. */
  readonly spans: readonly (readonly [start: number, end: number] | undefined)[] | undefined;
}

/** A message of a thread. */
export interface Envelope {
  readonly [POOL]: FromThread;
}

/** What a thread tells the pool. */
export type FromThread =
  | {
    readonly type: "ready";
    /** Tasks that the module takes at once. */
    readonly atOnce: number;
    readonly teardown: boolean;
  }
  /** The module cannot be used. */
  | { readonly type: "unusable"; readonly why: string; readonly thrown: Thrown | undefined }
  /** The runtime has broken off what it was at, as its heap was full. */
  | { readonly type: "outOfMemory" }
  /** An error that nobody caught: a rejected promise, or an exception in a callback. */
  | { readonly type: "stray"; readonly thrown: Thrown }
  | Answers;
