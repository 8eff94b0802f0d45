import type { Span } from "./pool_clock.ts";

/** What is computed, as a report names it. */
export interface Subject {
  readonly kind: "passwords" | "module";
  /** The algorithm, or the file of the module. */
  readonly name: string;
  /** KiB that a hash needs, where that is a parameter. */
  readonly memory?: number | undefined;
  /** Where that is a parameter. */
  readonly parallelism?: number | undefined;
}

/** What the modes compute: a text to be saved for each item. */
export interface Work {
  readonly subject: Subject;
  /** Null where there is no such parameter. */
  readonly cost: number | null;
  /** How many items there are; they go by their numbers, from 0. */
  readonly count: number;
  /** About how many milliseconds an item takes on one thread; known at the latest once it is open. */
  readonly eachMs: number;
  /**
   * Gets ready, and warms up, so that the first run is not the slowest.
   *
   * @throws {ScriptError} If nothing can be computed.
   */
  open(options: OpenOptions): Promise<OpenWork>;
}

/** Options of {@linkcode Work.open}. */
export interface OpenOptions {
  /** Workers of the pool. */
  readonly workers: number;
  /** Whether the pool is needed. */
  readonly onPool: boolean;
}

/** Work that is ready. */
export interface OpenWork extends AsyncDisposable {
  /** Computes an item on this thread, which is blocked meanwhile. */
  compute(id: number): string | Promise<string>;
  /** Computes all items on every core, as they get done. */
  computeOnPool(): AsyncIterable<PoolResult>;
  /** Tells which result is not what it should be, if there is one; each was computed just before. */
  findWrong(results: readonly string[]): Promise<string | undefined>;
}

/** What came from the pool. */
export interface PoolResult {
  readonly id: number;
  readonly result: string;
  /** When it was computed. */
  readonly span: Span | undefined;
}

/** Milliseconds that a thread computes before it is measured, so that its code is compiled. */
const WARM_UP = 40;

/** How often an item is computed to warm a thread up: more often the faster it is. */
export function warmUps(eachMs: number): number {
  return Math.min(1000, Math.max(2, Math.round(WARM_UP / eachMs)));
}

/** The words for what is computed, as people say them of that work. */
export interface Words {
  readonly compute: string;
  readonly computes: string;
  readonly computed: string;
  readonly computing: string;
  readonly result: string;
  readonly results: string;
  readonly items: string;
}

const WORDS: Readonly<Record<Subject["kind"], Words>> = {
  passwords: {
    compute: "hash",
    computes: "hashes",
    computed: "hashed",
    computing: "hashing",
    result: "hash",
    results: "hashes",
    items: "passwords",
  },
  module: {
    compute: "compute",
    computes: "computes",
    computed: "computed",
    computing: "computing",
    result: "result",
    results: "results",
    items: "items",
  },
};

/** The words for a work. */
export function wordsOf({ kind }: Subject): Words {
  return WORDS[kind];
}

/** A work in a few words, as in "argon2id, memory 4096 KiB". */
export function describeSubject({ name, memory, parallelism }: Subject): string {
  return [
    name,
    ...memory === undefined ? [] : [`memory ${memory} KiB`],
    ...parallelism === undefined ? [] : [`parallelism ${parallelism}`],
  ].join(", ");
}

/** The same with its cost, as in "bcrypt cost 7". */
export function describeBlock(work: Subject, cost: number | null): string {
  return describeSubject(cost === null ? work : { ...work, name: `${work.name} cost ${cost}` });
}

/** So many results, as in "60 hashes". */
export function countResults(count: number, work: Subject): string {
  const { result, results } = wordsOf(work);
  return `${count} ${count === 1 ? result : results}`;
}
