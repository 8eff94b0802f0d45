import { median, quantile } from "../../scripts/measure/statistics.ts";
import { addAll, queueAll } from "./cost.ts";
import { timeEach } from "./latency.ts";
import { type Peer, WAIT } from "./peer.ts";
import { needsDatabase, PEERS } from "./peers.ts";
import { saveAll } from "./saves.ts";
import { makeRows, type Table } from "./table.ts";

/** A column of the comparison. */
export interface Column {
  readonly title: string;
  /** Shows a figure of this column: milliseconds or bytes in all, in the unit of the column. */
  readonly show: (figure: number) => string;
  readonly results: ReadonlyMap<Peer, Result>;
}

/** What was measured of one peer. */
export interface Result {
  /** Milliseconds or bytes: the median of all runs. */
  readonly figure: number;
  readonly runs: number;
  /** Rows that were not saved, or more than once, in the worst of the runs. */
  readonly wrong: number;
}

/** What is common to all measurements. */
export interface Hooks {
  readonly signal: AbortSignal;
  readonly onProgress: (what: string, fraction: number) => void;
}

/** A run of a peer: a figure for each column, less being better. */
interface Run {
  readonly figures: readonly number[];
  readonly wrong: number;
}

/** A peer that takes longer than this for one run, in milliseconds, is run once only. */
const SLOW = 5_000;

/** What an item costs in the peer itself, with a sink that does nothing. */
export async function measureCost(count: number, rounds: number, hooks: Hooks): Promise<Column> {
  const items = count.toLocaleString("en");
  const peers = PEERS.filter((peer) => !needsDatabase(peer));
  const [column] = await interleave(`${items} items`, peers, rounds, hooks, async (peer) => {
    // What the one before has left behind is not for this one to clear away.
    if (count >= 100_000) collectGarbage();
    const start = performance.now();
    const sent = await addAll(peer, count);
    return { figures: [performance.now() - start], wrong: Math.abs(sent - count) };
  });
  return {
    title: `${items} items`,
    show: (ms) => `${(ms / count * 1e6).toFixed(0)} ns`,
    results: column,
  };
}

/** The heap that a queued item takes in the peer, its promise included. */
export async function measureHeap(count: number, rounds: number, hooks: Hooks): Promise<Column> {
  const peers = PEERS.filter((peer) => !needsDatabase(peer));
  const [column] = await interleave("heap", peers, rounds, hooks, async (peer) => {
    collectGarbage();
    const before = Deno.memoryUsage().heapUsed;
    const queued = queueAll(peer, count);
    collectGarbage();
    const bytes = Deno.memoryUsage().heapUsed - before;
    return { figures: [bytes], wrong: Math.abs(await queued.release() - count) };
  });
  return {
    title: "heap per queued item",
    show: (bytes) => `${(bytes / count).toFixed(0)} B`,
    results: column,
  };
}

/** How fast rows are saved to PostgreSQL, with a promise for each that somebody awaits. */
export async function measureSaves(
  table: Table,
  { rows: count, callers, rounds }: { rows: number; callers: number; rounds: number },
  hooks: Hooks,
): Promise<Column> {
  const rows = makeRows(count);
  const title = callers < count
    ? `${callers} callers`
    : `${count.toLocaleString("en")} rows at once`;
  const [column] = await interleave(title, PEERS, rounds, hooks, async (peer) => {
    await table.clear();
    const save = table.start(peer);
    const start = performance.now();
    await saveAll(save, rows, callers);
    const ms = performance.now() - start;
    return { figures: [ms], wrong: await table.countWrong(rows) };
  });
  return { title, show: (ms) => perSecond(count / ms * 1000), results: column };
}

/** The time from adding a row to its commit, when rows are rare. */
export async function measureLatency(
  table: Table,
  { rows: count, rounds }: { rows: number; rounds: number },
  hooks: Hooks,
): Promise<Column[]> {
  const rows = makeRows(count);
  const [p50, p99] = await interleave("one by one", PEERS, rounds, hooks, async (peer) => {
    await table.clear();
    const times = await timeEach(table.start(peer), rows);
    return {
      figures: [quantile(times, 0.5)!, quantile(times, 0.99)!],
      wrong: await table.countWrong(rows),
    };
  });
  const show = (ms: number) => `${ms.toFixed(2)} ms`;
  return [
    { title: "add to commit, p50", show, results: p50 },
    { title: "p99", show, results: p99 },
  ];
}

/**
 * Runs the peers in turns, so that what disturbs the machine for a while disturbs all of them, and
 * each a place further in every round, so that none always follows the same.
 */
async function interleave(
  what: string,
  peers: readonly Peer[],
  rounds: number,
  { signal, onProgress }: Hooks,
  run: (peer: Peer) => Promise<Run>,
): Promise<Map<Peer, Result>[]> {
  const runs = new Map<Peer, Run[]>(peers.map((peer) => [peer, []]));
  const slow = new Set<Peer>();
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(round + i) % peers.length];
      if (slow.has(peer)) continue;
      signal.throwIfAborted();
      onProgress(`${what}: ${peer.name}`, (round + i / peers.length) / rounds);
      const start = performance.now();
      runs.get(peer)!.push(await run(peer));
      if (performance.now() - start > SLOW) slow.add(peer);
      // Some leave timers behind, which are not to fire in the next one's time.
      await new Promise((resolve) => setTimeout(resolve, 2 * WAIT));
    }
  }
  const columns = runs.get(peers[0])![0].figures.length;
  return Array.from({ length: columns }, (_, column) =>
    new Map(
      peers.map((peer) => {
        const own = runs.get(peer)!;
        return [peer, {
          figure: median(own.map(({ figures }) => figures[column])),
          runs: own.length,
          wrong: Math.max(...own.map(({ wrong }) => wrong)),
        }];
      }),
    ));
}

/** Only where Deno was started with `--v8-flags=--expose-gc`. */
function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

function perSecond(rows: number): string {
  return `${Math.round(rows / 100) * 100}`.replace(/\B(?=(\d{3})+$)/, ",") + " rows/s";
}
