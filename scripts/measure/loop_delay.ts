/** How often the event loop is looked at, in milliseconds. */
const INTERVAL = 5;

/**
 * Measures how late the event loop is: a timer that is due every few milliseconds notes by how much
 * it fires late. (`monitorEventLoopDelay` of node:perf_hooks shows next to nothing in Deno 2.9.)
 *
 * @returns Ends the measurement, with the delays in milliseconds.
 */
export function watchLoopDelay(): () => number[] {
  const delays: number[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = 0;

  function note(): void {
    delays.push(Math.max(0, performance.now() - dueAt));
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
    clearTimeout(timer);
    // What holds the loop up right now counts as well.
    note();
    return delays;
  };
}
