import { AsyncBatcher } from "../../batcher.ts";
import type { PostgresWriter } from "../../postgres.ts";
import { turn, turns } from "./turns.ts";
import type { Words } from "./work.ts";

/** A row of the table that the benchmark fills. */
export interface Saved {
  id: number;
  result: string;
  [column: string]: unknown;
}

/** What a mode works with. Whatever it does here is timed. */
export interface Task {
  /** Items to compute; they go by their numbers, from 0. */
  readonly count: number;
  readonly batchSize: number;
  /** Computes one item on this thread, which is blocked meanwhile. */
  compute(id: number): Promise<string>;
  /** Computes all items on every core, as they get done. */
  computeOnPool(): AsyncIterable<Saved>;
  /** Saves one row with an INSERT of its own. */
  insert(row: Saved): Promise<void>;
  /** Saves many rows with one statement. */
  readonly writer: PostgresWriter;
  /** Appends one row to a file. */
  append(row: Saved): Promise<void>;
}

/** A way to compute and to save the results. */
export interface Mode {
  readonly name: string;
  /** What it does, in a few words for a newcomer. */
  readonly describe: (words: Words) => string;
  /** Where it saves the results. */
  readonly sink: "none" | "file" | "database";
  /** Whether it computes on the pool. */
  readonly onPool: boolean;
  run(task: Task): Promise<void>;
}

/** Longest delay that a batcher takes: such a batch leaves when it is full, or is flushed. */
const NEVER = 2 ** 31 - 1;

/**
 * Milliseconds that the rows of a burst wait for company. A request costs processor time too, here
 * and in the server, and a job is after throughput: with a delay of 0 the pool took 1.04 times as
 * long as without saving, at cost 8 on two cores, with this 1.00 times.
 */
const LINGER = 50;

/** The modes, in the order in which they are told. */
export const MODES: readonly Mode[] = [
  {
    name: "no-io",
    describe: ({ compute }) => `${compute} only, save nothing: the floor for one thread`,
    sink: "none",
    onPool: false,
    async run({ count, compute }) {
      for (let id = 0; id < count; id++) {
        await compute(id);
        // Just so that Ctrl-C is heard.
        await turn();
      }
    },
  },
  {
    name: "file",
    describe: ({ compute, result }) => `${compute}, append the ${result} to a file, repeat`,
    sink: "file",
    onPool: false,
    async run({ count, compute, append }) {
      for (let id = 0; id < count; id++) await append({ id, result: await compute(id) });
    },
  },
  {
    name: "serial",
    describe: ({ compute }) => `${compute}, save, wait for the answer, repeat`,
    sink: "database",
    onPool: false,
    async run({ count, compute, insert }) {
      for (let id = 0; id < count; id++) await insert({ id, result: await compute(id) });
    },
  },
  {
    name: "batched",
    describe: ({ compute }) =>
      `${compute} a batch, then save it with many single-row INSERTs at once`,
    sink: "database",
    onPool: false,
    async run({ count, batchSize, compute, insert }) {
      await using batcher = new AsyncBatcher<Saved>(
        async (rows) => void await Promise.all(rows.map(insert)),
        { maxItems: batchSize, linger: NEVER },
      );
      for (let id = 0; id < count; id++) {
        await batcher.push({ id, result: await compute(id) });
        if ((id + 1) % batchSize === 0) await batcher.flush();
      }
    },
  },
  {
    name: "async",
    describe: ({ result, computing }) =>
      `start a save after each ${result} and go on ${computing}, without batches`,
    sink: "database",
    onPool: false,
    async run({ count, compute, insert }) {
      const saves: Promise<void>[] = [];
      let broken = false;
      for (let id = 0; id < count && !broken; id++) {
        const save = insert({ id, result: await compute(id) });
        save.catch(() => broken = true);
        saves.push(save);
        await turns();
      }
      await Promise.all(saves);
    },
  },
  {
    name: "burst",
    describe: ({ computing }) =>
      `save in bursts with AsyncBatcher while the same thread goes on ${computing}`,
    sink: "database",
    onPool: false,
    async run({ count, batchSize, compute, writer }) {
      await using burst = startBurst(writer, batchSize);
      for (let id = 0; id < count && !burst.broken; id++) {
        await burst.save({ id, result: await compute(id) });
      }
    },
  },
  {
    name: "pool-no-io",
    describe: ({ compute }) => `${compute} only, on all cores: the floor for this machine`,
    sink: "none",
    onPool: true,
    async run({ computeOnPool }) {
      for await (const _ of computeOnPool());
    },
  },
  {
    name: "pool",
    describe: ({ compute }) => `${compute} on all cores, save in bursts meanwhile`,
    sink: "database",
    onPool: true,
    async run({ batchSize, computeOnPool, writer }) {
      await using burst = startBurst(writer, batchSize);
      for await (const row of computeOnPool()) {
        await burst.save(row);
        if (burst.broken) break;
      }
    },
  },
];

/** Saves through the batcher, and tells as soon as a batch has failed. */
function startBurst(
  writer: PostgresWriter,
  batchSize: number,
): AsyncDisposable & { save(row: Saved): Promise<void>; readonly broken: boolean } {
  let broken = false;
  const batcher = new AsyncBatcher(writer, {
    maxItems: batchSize,
    linger: LINGER,
    onBatch({ outcome }) {
      broken ||= outcome !== "saved";
    },
  });
  return {
    save: (row) => batcher.push(row),
    get broken() {
      return broken;
    },
    [Symbol.asyncDispose]: () => batcher[Symbol.asyncDispose](),
  };
}
