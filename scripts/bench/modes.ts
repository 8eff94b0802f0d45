import { AsyncBatcher } from "../../batcher.ts";
import type { HashPool } from "../../hash_pool.ts";
import type { PostgresWriter } from "../../postgres.ts";
import { atEndOfTurn, nextTurn } from "../../_internal/event_loop.ts";

/** A row of the table that the benchmark fills. */
export interface Saved {
  id: number;
  hash: string;
  [column: string]: unknown;
}

/** What a mode works with. */
export interface Task {
  readonly passwords: readonly string[];
  readonly batchSize: number;
  /** Hashes one password on this thread, which is blocked meanwhile. */
  hash(password: string): string;
  /** Hashes on every core, at the same cost. */
  readonly pool: HashPool;
  /** To be called for each hash that the pool has done. */
  noteHash(): void;
  /** Saves one row with an INSERT of its own, and notes the response time. */
  insert(row: Saved): Promise<void>;
  /** Saves many rows with one statement. */
  readonly send: PostgresWriter;
  /** Notes the response time of a request that the mode sent by itself, in milliseconds. */
  noteResponse(ms: number): void;
}

/** A way to hash passwords and save the hashes. */
export interface Mode {
  readonly name: string;
  /** What it does, in a few words for a newcomer. */
  readonly description: string;
  /** Whether it saves the hashes. */
  readonly saves: boolean;
  /** Whether it hashes on the pool. */
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
    description: "hash only, save nothing: the floor for one thread",
    saves: false,
    onPool: false,
    async run({ passwords, hash }) {
      for (const password of passwords) {
        hash(password);
        // Just so that Ctrl-C is heard.
        await new Promise<void>((resolve) => void atEndOfTurn(resolve));
      }
    },
  },
  {
    name: "serial",
    description: "hash, save, wait for the answer, repeat",
    saves: true,
    onPool: false,
    async run({ passwords, hash, insert }) {
      for (const [id, password] of passwords.entries()) await insert({ id, hash: hash(password) });
    },
  },
  {
    name: "batched",
    description: "hash a batch, pause, save it with many single-row INSERTs at once",
    saves: true,
    onPool: false,
    async run({ passwords, batchSize, hash, insert }) {
      await using batcher = new AsyncBatcher<Saved>(
        async (rows) => void await Promise.all(rows.map(insert)),
        { maxItems: batchSize, maxDelay: NEVER },
      );
      for (const [id, password] of passwords.entries()) {
        await batcher.push({ id, hash: hash(password) });
        if ((id + 1) % batchSize === 0) await batcher.flush();
      }
    },
  },
  {
    name: "async",
    description: "a task per save, and a turn of the event loop between hashes",
    saves: true,
    onPool: false,
    async run({ passwords, hash, insert }) {
      const saves: Promise<void>[] = [];
      let broken = false;
      for (const [id, password] of passwords.entries()) {
        const save = insert({ id, hash: hash(password) });
        save.catch(() => broken = true);
        saves.push(save);
        await nextTurn();
        if (broken) break;
      }
      await Promise.all(saves);
    },
  },
  {
    name: "burst",
    description: "AsyncBatcher: save in bursts while hashing goes on, on the same thread",
    saves: true,
    onPool: false,
    async run({ passwords, batchSize, hash, send, noteResponse }) {
      await using burst = startBurst({ batchSize, send, noteResponse });
      for (const [id, password] of passwords.entries()) {
        await burst.save({ id, hash: hash(password) });
        if (burst.broken) break;
      }
    },
  },
  {
    name: "pool-no-io",
    description: "hash only, on all cores: the floor for this machine",
    saves: false,
    onPool: true,
    async run({ passwords, pool, noteHash }) {
      for await (const _ of pool.map(passwords, (password) => password)) noteHash();
    },
  },
  {
    name: "pool",
    description: "hash on all cores, save in bursts: the recommended way",
    saves: true,
    onPool: true,
    async run({ passwords, batchSize, pool, noteHash, send, noteResponse }) {
      await using burst = startBurst({ batchSize, send, noteResponse });
      for await (const { item, hash } of pool.map(passwords.entries(), ([, text]) => text)) {
        noteHash();
        await burst.save({ id: item[0], hash });
        if (burst.broken) break;
      }
    },
  },
];

/** Saves through the batcher, and tells as soon as a batch has failed. */
function startBurst(
  { batchSize, send, noteResponse }: Pick<Task, "batchSize" | "send" | "noteResponse">,
): AsyncDisposable & { save(row: Saved): Promise<void>; readonly broken: boolean } {
  let broken = false;
  const batcher = new AsyncBatcher(send, {
    ...send.defaults,
    maxItems: batchSize,
    maxDelay: LINGER,
    onBatch({ duration, outcome }) {
      noteResponse(duration);
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
