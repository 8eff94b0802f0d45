/** How long, in milliseconds, one turn of the event loop may last before the batcher minds. */
export const LONG_TURN = 5;

/**
 * Calls back at the end of this turn of the event loop, and returns the way to call that off.
 *
 * `setImmediate` is not a web standard, but Deno, Node and Bun all have it, and there a turn costs
 * about 10 µs, where `setTimeout(…, 0)` takes 1 to 2 ms: on a local network that would double the
 * time from `add()` to commit. Browsers get the timer.
 */
export function atEndOfTurn(callback: () => void): () => void {
  const { setImmediate, clearImmediate } = globalThis as unknown as {
    setImmediate?: (callback: () => void) => unknown;
    clearImmediate?: (id: unknown) => void;
  };
  if (setImmediate !== undefined && clearImmediate !== undefined) {
    const id = setImmediate(callback);
    return () => clearImmediate(id);
  }
  const id = setTimeout(callback, 0);
  return () => clearTimeout(id);
}

/** Resolves after one turn of the event loop: timers have fired, sockets have been served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void atEndOfTurn(resolve));
}
