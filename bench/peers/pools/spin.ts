/** What every pool computes: so many turns of a loop that V8 does not leave out. */
export default function spin(turns: number): number {
  let sum = turns;
  for (let i = 0; i < turns; i++) sum = (Math.imul(sum, 31) + i) | 0;
  return sum;
}
