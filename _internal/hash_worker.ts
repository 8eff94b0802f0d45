import { hashPassword, scryptPassword, verifyPassword } from "../workload.ts";
import {
  type FromWorker,
  type HashSettings,
  type Job,
  type JobResult,
  type ToWorker,
  WORKER_NAME,
} from "./hash_protocol.ts";

/**
 * Most milliseconds that a result waits for company. A hash that takes longer is answered at once:
 * nobody waits for the rest of a group, only for the slice of time in which his own was hashed.
 */
const SLICE = 5;

/** What the worker uses of its global scope. */
interface WorkerScope {
  readonly name: string;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  postMessage(message: FromWorker): void;
}

/** Hashes for a pool if this is one of its workers; anywhere else it does nothing. */
export function serveIfWorker(): void {
  const { WorkerGlobalScope } = globalThis as unknown as { WorkerGlobalScope?: unknown };
  const scope = globalThis as unknown as WorkerScope;
  if (WorkerGlobalScope !== undefined && scope.name === WORKER_NAME) serve(scope);
}

function serve(scope: WorkerScope): void {
  const waiting = new Map<number, Job>();
  let start: Extract<ToWorker, { type: "start" }>;
  let results: [number, JobResult][] = [];
  let working = false;

  scope.addEventListener("message", ({ data }) => {
    // The whole message is kept, as the lifeline in it must stay open.
    if (data.type === "start") start = data;
    else if (data.type === "group") {
      for (const job of data.jobs) waiting.set(job.id, job);
    } else if (waiting.delete(data.id)) results.push([data.id, undefined]);
    if (!working) work();
  });
  scope.postMessage({ type: "ready" });

  async function work(): Promise<void> {
    working = true;
    let since = performance.now();
    for (const [id, job] of waiting) {
      waiting.delete(id);
      results.push([id, await run(job, start.settings)]);
      const now = performance.now();
      if (now - since < SLICE) continue;
      since = now;
      answer();
    }
    answer();
    working = false;
  }

  function answer(): void {
    if (results.length > 0) scope.postMessage({ type: "results", results });
    results = [];
  }
}

async function run({ password, hash }: Job, settings: HashSettings): Promise<JobResult> {
  try {
    if (hash !== undefined) return await verifyPassword(password, hash);
    if (settings.algorithm === "scrypt") return await scryptPassword(password, settings);
    return await hashPassword(password, settings);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
