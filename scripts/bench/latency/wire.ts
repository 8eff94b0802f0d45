import type { Sql } from "postgres";
import type { Database } from "../../database/connect.ts";
import { median } from "../../measure/statistics.ts";
import { LatencyProxy } from "./proxy.ts";

/** A way to the database, with a round-trip time of its own. */
export interface Wire {
  /** The round-trip time that was asked for, in milliseconds. */
  readonly latencyMs: number;
  /** Connections over it. */
  readonly sql: Sql;
}

/** Ways to the database, that are closed together. */
export interface Wires extends AsyncDisposable {
  readonly wires: readonly Wire[];
}

/** How a wire was found before anything else was measured on it, in milliseconds. */
export interface WireReport {
  readonly latencyMs: number;
  /** The round-trip time that is added in fact. */
  readonly addedMs: number;
  /** A simple save on an idle machine: the true round trip, and the server's time. */
  readonly saveMs: number;
}

/** Questions that a wire is measured with. */
const PROBES = 11;

/** Opens a way to the database for each round-trip time: through a proxy, or as it is where none is added. */
export async function openWires(
  database: Database,
  latencies: readonly number[],
): Promise<Wires> {
  const proxy = latencies.some((ms) => ms > 0)
    ? await LatencyProxy.start(database.addresses)
    : undefined;
  const wires: Wire[] = [];
  const close = async () => {
    await Promise.all(
      wires.map(({ sql }) => sql === database.sql ? undefined : sql.end({ timeout: 2 })),
    );
    proxy?.[Symbol.dispose]();
  };
  try {
    for (const latencyMs of latencies) {
      const sql = latencyMs === 0 ? database.sql : database.over(await proxy!.open(latencyMs));
      wires.push({ latencyMs, sql });
    }
    return { wires, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Measures a wire while nothing else is going on.
 *
 * @param save Saves the row of that number, by itself, over the wire.
 */
export async function probe(
  { latencyMs, sql }: Wire,
  database: Database,
  save: (id: number) => Promise<void>,
  signal: AbortSignal,
): Promise<WireReport> {
  const direct = await medianTime(() => ask(database.sql), signal);
  const over = latencyMs === 0 ? direct : await medianTime(() => ask(sql), signal);
  const saveMs = await medianTime(save, signal);
  return { latencyMs, addedMs: Math.max(0, over - direct), saveMs };
}

/** Asks the simplest question; unlike a prepared statement, one round trip on a new connection, too. */
function ask(sql: Sql): PromiseLike<unknown> {
  return sql.unsafe("select 1");
}

async function medianTime(
  once: (i: number) => PromiseLike<unknown>,
  signal: AbortSignal,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PROBES; i++) {
    signal.throwIfAborted();
    const start = performance.now();
    await once(i);
    times.push(performance.now() - start);
  }
  return median(times);
}
