/** How often the event loop is looked at, in milliseconds. */
const INTERVAL = 5;

/** How late the event loop was. */
export interface LoopDelay {
  /** When it was looked at, in milliseconds of a monotonic clock. */
  readonly at: number[];
  /** By how many milliseconds a timer fired late then. */
  readonly delays: number[];
}

/**
 * Measures how late the event loop is: a timer that is due every few milliseconds notes by how much
 * it fires late. (`monitorEventLoopDelay` of node:perf_hooks shows next to nothing in Deno 2.9.)
 *
 * @returns Ends the measurement. Every call returns the same.
 */
export function watchLoopDelay(): () => LoopDelay {
  const at: number[] = [];
  const delays: number[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = 0;

  function note(): void {
    const now = performance.now();
    at.push(now);
    delays.push(Math.max(0, now - dueAt));
  }

  function wait(): void {
    dueAt = performance.now() + INTERVAL;
    timer = setTimeout(() => {
      note();
      wait();
    }, INTERVAL);
  }

  wait();
  return () => {
    if (timer !== undefined) {
      clearTimeout(timer);
      timer = undefined;
      // What holds the loop up right now counts as well.
      note();
    }
    return { at, delays };
  };
}
