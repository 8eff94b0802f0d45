/** A number as people read it, as in 1,234. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 0 });
}

/** A number of which the first digits count. */
export function speed(value: number): string {
  return value < 10 ? value.toFixed(1) : grouped(value);
}
