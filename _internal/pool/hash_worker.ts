import { hashPassword, scryptPassword, verifyPassword } from "../../workload.ts";
import { BcryptLanes, MAX_LANES, SLICE } from "../password/bcrypt_lanes.ts";
import { nextTurn } from "../shared/event_loop.ts";
import {
  type FromWorker,
  type HashSettings,
  type Job,
  type JobResult,
  type ToWorker,
  WORKER_NAME,
} from "./hash_protocol.ts";
import { roundsOf } from "./hash_task.ts";
import { type LaneJob, laneJob, laneResult } from "../password/lane_job.ts";

/**
 * Most milliseconds that a result waits for company: hashes of the same cost that are done within
 * this time are answered together. Nobody waits for a hash of another cost, which may take long.
 */
const COMPANY = 5;

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
  let start: Extract<ToWorker, { type: "start" }>;
  /** What is to be done, in order. */
  const waiting = new Map<number, Job>();
  /** What is done in lanes, without what is to be skipped. */
  const inLanes = new Set<number>();
  let results: [number, JobResult][] = [];
  let working = false;
  let lanes: BcryptLanes | undefined;
  let noLanes = false;
  /** When the event loop last had a turn. */
  let turnAt = 0;

  scope.addEventListener("message", ({ data }) => {
    // The whole message is kept, as the lifeline in it must stay open.
    if (data.type === "start") start = data;
    else if (data.type === "group") { for (const job of data.jobs) waiting.set(job.id, job); }
    else if (waiting.delete(data.id) || inLanes.delete(data.id)) results.push([data.id, undefined]);
    if (!working) work();
  });
  scope.postMessage({ type: "ready", lanes: "WebAssembly" in globalThis ? MAX_LANES : 1 });

  async function work(): Promise<void> {
    working = true;
    let since = turnAt = performance.now();
    let rounds = 0;
    while (waiting.size > 0) {
      const [job] = waiting.values();
      const before = rounds, now = performance.now();
      rounds = roundsOf(job.hash, start.settings);
      if (rounds !== before || now - since >= COMPANY) {
        answer();
        since = now;
      }
      if (now - turnAt >= SLICE) await takeTurn();
      else await workOn(job);
    }
    answer();
    working = false;
  }

  async function workOn(job: Job): Promise<void> {
    const jobs = forLanes(job);
    const lanes = jobs.length > 0 ? prepareLanes(jobs.length) : undefined;
    if (lanes !== undefined) return await workInLanes(lanes, jobs);
    // The pool was told, and has others do it, or nobody.
    if (noLanes && start.engine === "lanes") return waiting.clear();
    waiting.delete(job.id);
    results.push([job.id, await run(job, start.settings)]);
  }

  /** A job, and others of its cost that wait: they are done together. */
  function forLanes(job: Job): LaneJob[] {
    const first = start.engine === "bcryptjs" || noLanes ? undefined : laneJob(job, start.settings);
    if (first === undefined) return [];
    const jobs = [first];
    for (const other of waiting.values()) {
      if (jobs.length === MAX_LANES) break;
      const next = other === job ? undefined : laneJob(other, start.settings);
      if (next?.cost === first.cost) jobs.push(next);
    }
    return jobs;
  }

  function prepareLanes(count: number): BcryptLanes | undefined {
    try {
      lanes ??= new BcryptLanes();
      lanes.prepare(count);
      return lanes;
    } catch (error) {
      noLanes = true;
      scope.postMessage({ type: "noLanes", reason: (error as Error).message });
    }
  }

  async function workInLanes(lanes: BcryptLanes, jobs: readonly LaneJob[]): Promise<void> {
    for (const { id } of jobs) {
      waiting.delete(id);
      inLanes.add(id);
    }
    const hashing = lanes.hash(jobs, jobs[0].cost);
    try {
      while (inLanes.size > 0) {
        const { done, value: hashes } = hashing.next();
        if (!done) await takeTurn();
        else {
          for (const [lane, job] of jobs.entries()) {
            if (inLanes.delete(job.id)) results.push([job.id, laneResult(job, hashes[lane])]);
          }
        }
      }
    } finally {
      hashing.return([]);
    }
  }

  /** Hears what the pool has to say meanwhile. */
  async function takeTurn(): Promise<void> {
    answer();
    await nextTurn();
    turnAt = performance.now();
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
