import { setImmediate } from "node:timers";

/**
 * Turns of the event loop that it takes until sockets have been served: Deno's runtime polls them once
 * in 61 ticks while there is always something to do.
 */
const UNTIL_SERVED = 64;

/** Gives the event loop one turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Gives the event loop enough turns for timers to fire and sockets to be served. */
export async function turns(): Promise<void> {
  for (let i = 0; i < UNTIL_SERVED; i++) await turn();
}
