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
 * Most milliseconds that a result waits for company: in a group of short hashes, those of one such
 * slice of time are answered together. Nobody waits for the rest of his group, let alone for the next.
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
  const groups: Map<number, Job>[] = [];
  let start: Extract<ToWorker, { type: "start" }>;
  let results: [number, JobResult][] = [];
  let working = false;

  scope.addEventListener("message", ({ data }) => {
    // The whole message is kept, as the lifeline in it must stay open.
    if (data.type === "start") start = data;
    else if (data.type === "group") groups.push(new Map(data.jobs.map((job) => [job.id, job])));
    else if (groups.some((group) => group.delete(data.id))) results.push([data.id, undefined]);
    if (!working) work();
  });
  scope.postMessage({ type: "ready" });

  async function work(): Promise<void> {
    working = true;
    for (; groups.length > 0; groups.shift()) await workOn(groups[0]);
    answer();
    working = false;
  }

  async function workOn(group: Map<number, Job>): Promise<void> {
    let since = performance.now();
    for (const [id, job] of group) {
      group.delete(id);
      results.push([id, await run(job, start.settings)]);
      const now = performance.now();
      if (now - since < SLICE && group.size > 0) continue;
      since = now;
      answer();
    }
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
