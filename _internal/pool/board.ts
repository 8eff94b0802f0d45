/** Most tasks that a worker may have been given and not have passed. */
export const SLOTS = 4096;

/** What a slot says of its task: nobody has touched it, the worker is at it, or the pool took it back. */
const FREE = 0, CLAIMED = 1, REVOKED = 2;

/** Words before the slots: the position of the call, its size, and 8 bytes for its time. */
const HEADER = 4;

/** The call that a worker is at. */
export interface Call {
  /** Position of its first task. */
  readonly position: number;
  /** Tasks in it. */
  readonly size: number;
  /** When it began, in milliseconds since the epoch by the monotonic clock. */
  readonly since: number;
}

/**
 * Memory that a worker and its pool share, so that the pool knows without a message what a busy worker
 * is at, and can take back what it has not begun. Either side gets a task by one atomic operation, so
 * none is computed by two workers at a time, and none by nobody.
 *
 * Positions count the tasks that a worker was given. They wrap around like 32-bit integers.
 */
export class Board {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #since: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4 * (HEADER + SLOTS))) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#since = new Float64Array(buffer, 8, 1);
  }

  /** The pool's: gives the worker a task to claim. */
  offer(position: number): void {
    Atomics.store(this.#words, slot(position), FREE);
  }

  /** The pool's: takes a task back, unless the worker has claimed it. */
  revoke(position: number): boolean {
    return Atomics.compareExchange(this.#words, slot(position), FREE, REVOKED) === FREE;
  }

  /** Whether the worker has claimed a task. */
  isClaimed(position: number): boolean {
    return Atomics.load(this.#words, slot(position)) === CLAIMED;
  }

  /** What the worker is at. */
  get call(): Call | undefined {
    const size = Atomics.load(this.#words, 1);
    if (size === 0) return undefined;
    return { position: Atomics.load(this.#words, 0), size, since: this.#since[0] };
  }

  /** The worker's: takes a task, unless the pool has taken it back. */
  claim(position: number): boolean {
    return Atomics.compareExchange(this.#words, slot(position), FREE, CLAIMED) === FREE;
  }

  /** The worker's: says what it is at from now on. */
  begin(position: number, size: number, since: number): void {
    this.#since[0] = since;
    Atomics.store(this.#words, 0, position | 0);
    Atomics.store(this.#words, 1, size);
  }

  /** The worker's: says that it is at nothing. */
  end(): void {
    Atomics.store(this.#words, 1, 0);
  }
}

function slot(position: number): number {
  return HEADER + (position & (SLOTS - 1));
}

/** Reading it takes longer than reading the clock. */
const { timeOrigin } = performance;

/** Milliseconds since the epoch by the monotonic clock: what threads can compare. */
export function commonTime(): number {
  return timeOrigin + performance.now();
}
