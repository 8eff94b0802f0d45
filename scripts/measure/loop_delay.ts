/** Options of {@linkcode watchLoopDelay}. */
export interface LoopDelayOptions {
  /**
   * How often the event loop is looked at, in milliseconds.
   *
   * @default {5}
   */
  readonly interval?: number;
}

/**
 * Measures how late the event loop is: a timer that is due every few milliseconds notes by how much
 * it fires late. (`monitorEventLoopDelay` of node:perf_hooks shows next to nothing in Deno 2.9.)
 *
 * @param onDelay Called with every delay, and when it was noted, in milliseconds of the monotonic clock.
 * @returns Ends the measurement. Called again, it does nothing.
 */
export function watchLoopDelay(
  onDelay: (delay: number, at: number) => void,
  { interval = 5 }: LoopDelayOptions = {},
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = 0;

  function note(): void {
    const now = performance.now();
    onDelay(Math.max(0, now - dueAt), now);
  }

  function wait(): void {
    dueAt = performance.now() + interval;
    timer = setTimeout(() => {
      note();
      wait();
    }, interval);
  }

  wait();
  return () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    // What holds the loop up right now counts as well.
    note();
  };
}
