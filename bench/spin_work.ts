let turns = 0;

/** Called once in each thread, with how long the function is to take: so many turns of its loop. */
export function setup(data: number): void {
  turns = data;
}

/**
 * Computes a number from an id. The loop is its own: called here, V8 puts that of `spinFor` into code
 * that it optimizes only after some 30,000 calls, which take up to four times as long.
 */
export default function spin(id: number): number {
  let sum = id;
  for (let i = 0; i < turns; i++) sum = (Math.imul(sum, 31) + i) | 0;
  return sum;
}

/** A loop that V8 does not leave out. */
export function spinFor(id: number, turns: number): number {
  let sum = id;
  for (let i = 0; i < turns; i++) sum = (Math.imul(sum, 31) + i) | 0;
  return sum;
}

/** Computes its share at once: what every thread does where nothing is in the way. */
export function share(count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum ^= spin(i);
  return sum;
}
