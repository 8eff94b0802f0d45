import { cpus } from "node:os";
import type { Database } from "../database/connect.ts";
import type { HashEngine } from "../../hash_pool.ts";
import type { Measurement, Measurements, Plan } from "./runner.ts";
import type { Subject } from "./work.ts";
import { median, overlap, quantile, summarize, type Summary } from "../measure/statistics.ts";

/** What `--json` prints. Nothing in it is rounded. */
export interface Report {
  readonly version: 1;
  readonly run: RunOrigin;
  readonly environment: Environment;
  /** What was computed. */
  readonly work: Subject;
  readonly settings: Settings;
  readonly latencies: readonly LatencyReport[];
  readonly results: readonly Result[];
}

/** Where the figures come from. */
export interface RunOrigin {
  /** The command line, without the address of a database. */
  readonly command: string;
  /** The commit of Burst, with `-dirty` where files differ from it; null where that is not known. */
  readonly commit: string | null;
  /** ISO 8601, in UTC. */
  readonly startedAt: string;
}

/** Where it was measured. */
export interface Environment {
  readonly deno: string;
  readonly cpu: string;
  readonly cores: number;
  readonly postgres: string;
  readonly embedded: boolean;
}

/** How it was measured, as far as that changes the figures. */
export interface Settings {
  /** What hashed with bcrypt in the pool modes. */
  readonly engine: HashEngine;
  /** Workers of the pool. */
  readonly workers: number;
  /** Most rows of a batch. */
  readonly batchSize: number;
}

/** A round-trip time as it was found on the idle machine before the runs, in milliseconds. */
export interface LatencyReport {
  readonly askedMs: number;
  /** What was added in fact. */
  readonly gotMs: number;
  /** A simple save: the whole round trip and the server's time. */
  readonly saveMs: number;
}

/** What was measured of one mode at one cost and latency. */
export interface Result {
  readonly mode: string;
  /** Where it saves. */
  readonly sink: "none" | "file" | "database";
  /** Whether it computes on all cores. */
  readonly onPool: boolean;
  /** Null for a function of the user's. */
  readonly cost: number | null;
  readonly latencyMs: number;
  readonly count: number;
  readonly wallMs: Summary;
  /** Median wall time / median wall time of no-io; null where that was not measured. */
  readonly slowdown: number | null;
  /** Median wall time / that of the same computing without saving: of no-io, or of pool-no-io. */
  readonly overFloor: number | null;
  /** Median wall time of serial / median wall time; null where that was not measured. */
  readonly speedup: number | null;
  readonly rowsSaved: number;
  /** Rows saved a second, in the median run; null where none are saved. */
  readonly rowsPerSecond: number | null;
  /** Null where the mode saves nothing. */
  readonly responseMs: { p50: number; p99: number; max: number } | null;
  readonly loopDelayMs: { p99: number; max: number };
  /** Processor time of this program / (wall time × cores): 1 means that all cores are busy. */
  readonly cpuUse: number;
  /** Whether this is the way to take here. */
  readonly recommended: boolean;
}

/** Where it is measured. */
export function environmentOf({ version, embedded }: Database): Environment {
  return {
    deno: Deno.version.deno,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    postgres: version,
    embedded,
  };
}

/** Sums the measurements up. */
export function makeReport(
  { run, environment }: Pick<Report, "run" | "environment">,
  { wires, measurements }: Measurements,
  { works, engine = "auto", workers, batchSize }: Pick<
    Plan,
    "works" | "engine" | "workers" | "batchSize"
  >,
): Report {
  const results = blocksOf(measurements).flatMap((block) => {
    const results = block.map((one) => summarizeMode(one, block, environment.cores));
    const best = recommend(results);
    return results.map((result) => ({ ...result, recommended: result === best }));
  });
  return {
    version: 1,
    run,
    environment,
    work: works[0].subject,
    settings: { engine, workers, batchSize },
    latencies: wires.map(({ latencyMs, addedMs, saveMs }) => ({
      askedMs: latencyMs,
      gotMs: addedMs,
      saveMs,
    })),
    results,
  };
}

/** A round-trip time that was asked for, as it was found. */
export function latencyOf(
  { latencies }: Pick<Report, "latencies">,
  latencyMs: number,
): LatencyReport {
  return latencies.find(({ askedMs }) => askedMs === latencyMs)!;
}

/** What belongs together: the same cost and latency. */
export function blocksOf<T extends { readonly cost: number | null; readonly latencyMs: number }>(
  results: readonly T[],
): T[][] {
  return [...Map.groupBy(results, ({ cost, latencyMs }) => `${cost} ${latencyMs}`).values()];
}

/** Modes that save to the database, in groups whose order chance may have made. */
export function closeCalls(block: readonly Result[]): string[][] {
  const saving = block.filter(({ sink }) => sink === "database")
    .sort((a, b) => a.wallMs.median - b.wallMs.median);
  const groups: string[][] = [];
  for (const [i, { mode, wallMs }] of saving.entries()) {
    const close = i > 0 && overlap(saving[i - 1].wallMs, wallMs);
    if (close) groups.at(-1)!.push(mode);
    else groups.push([mode]);
  }
  return groups.filter(({ length }) => length > 1);
}

function summarizeMode(
  { mode, cost, latencyMs, count, runs, rowsSaved }: Measurement,
  block: readonly Measurement[],
  cores: number,
): Omit<Result, "recommended"> {
  const wallMs = summarize(runs.map(({ wallMs }) => wallMs));
  const medianOf = (name: string) => {
    const one = block.find(({ mode }) => mode.name === name);
    return one === undefined ? null : median(one.runs.map(({ wallMs }) => wallMs));
  };
  const [noIo, floor, serial] = ["no-io", mode.onPool ? "pool-no-io" : "no-io", "serial"]
    .map(medianOf);
  const responses = runs.flatMap(({ responseMs }) => responseMs);
  const delays = runs.flatMap(({ loopDelay }) => loopDelay.delays);
  return {
    mode: mode.name,
    sink: mode.sink,
    onPool: mode.onPool,
    cost,
    latencyMs,
    count,
    wallMs,
    slowdown: noIo === null ? null : wallMs.median / noIo,
    overFloor: floor === null ? null : wallMs.median / floor,
    speedup: serial === null ? null : serial / wallMs.median,
    rowsSaved,
    rowsPerSecond: rowsSaved === 0 ? null : rowsSaved / wallMs.median * 1000,
    responseMs: responses.length === 0 ? null : {
      p50: quantile(responses, 0.5)!,
      p99: quantile(responses, 0.99)!,
      max: quantile(responses, 1)!,
    },
    loopDelayMs: { p99: quantile(delays, 0.99)!, max: quantile(delays, 1)! },
    cpuUse: median(runs.map(({ cpuMs, wallMs }) => cpuMs / wallMs / cores)),
  };
}

/**
 * Of the modes that save to the database, the fastest; of those that cannot be told from it, the one
 * that the table of modes names last: with fewer requests, and a loop that is free for others.
 */
function recommend<T extends Pick<Result, "sink" | "wallMs">>(
  results: readonly T[],
): T | undefined {
  const saving = results.filter(({ sink }) => sink === "database");
  if (saving.length < 2) return undefined;
  const fastest = saving.reduce((a, b) => b.wallMs.median < a.wallMs.median ? b : a);
  return saving.findLast((one) => one === fastest || overlap(one.wallMs, fastest.wallMs));
}
