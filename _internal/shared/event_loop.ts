/** How long, in milliseconds, one turn of the event loop may last before the batcher minds. */
export const LONG_TURN = 5;

/**
 * Calls back at the end of this turn of the event loop, and returns the way to call that off.
 *
 * `setImmediate` is not a web standard, but Deno, Node and Bun all have it, and there a turn costs
 * about 10 µs, where `setTimeout(…, 0)` takes 1 to 2 ms: on a local network that would double the
 * time from `add()` to commit. Browsers and edge workers get a message to themselves: there a timer
 * that sets the next one waits 4 ms. The channel is made for one call, as an edge worker may use
 * nothing in one request that belongs to another.
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
  if (typeof MessageChannel === "undefined") {
    const id = setTimeout(callback, 0);
    return () => clearTimeout(id);
  }
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(null);
  return () => port1.close();
}

/** Turns of the microtask queue in which what is done in one go is through. */
const SOON = 16;

/**
 * Calls back at the end of this turn of the event loop, unless that is called off very soon. What is
 * added in one go often has left, and a call that needs no server is answered, a few microtasks later.
 * To wait for the end of the turn all the same would take some 40 µs in Deno in a program that is
 * mostly idle.
 */
export function atEndOfTurnUnlessSoon(callback: () => void): () => void {
  let isOff = false;
  let callOff = (): void => {
    isOff = true;
  };
  const wait = async () => {
    for (let i = 0; i < SOON; i++) await undefined;
    if (!isOff) callOff = atEndOfTurn(callback);
  };
  void wait();
  return () => callOff();
}

/**
 * Turns that it takes until sockets have been served.
 *
 * Deno's event loop does not look at sockets in every turn while there is always something to do:
 * its runtime polls them once in 61 ticks. With one turn between hashes of 5 ms, an INSERT that the
 * server answers in 0.3 ms was answered after 259 ms; with 64 turns, which take 0.13 ms together,
 * after 5.3 ms, the end of the next hash. (`setTimeout(…, 0)` does it too, and takes 2 ms.)
 */
const TURNS = 64;

/** Gives the event loop enough turns for timers to fire and sockets to be served. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    let left = "setImmediate" in globalThis ? TURNS : 1;
    const turn = () => --left === 0 ? resolve() : void atEndOfTurn(turn);
    atEndOfTurn(turn);
  });
}
