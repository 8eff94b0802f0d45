/** The value below which this share of the values lies, from 0 to 1; nothing where there are none. */
export function quantile(values: readonly number[], share: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? sorted[0];
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Some values in short. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** The middle of some values, how far they reach, and themselves. */
export function summarize(samples: readonly number[]): Summary {
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples,
  };
}

/** The place of the value that is nearest to the median; of several, the first. */
export function nearestToMedian(values: readonly number[]): number {
  const middle = median(values);
  const distances = values.map((value) => Math.abs(value - middle));
  return distances.indexOf(Math.min(...distances));
}

/**
 * Whether chance may have put one before the other: what was measured of the one reaches into what
 * was measured of the other. Of one sample each, nobody knows.
 */
export function overlap(a: Summary, b: Summary): boolean {
  return Math.min(a.samples.length, b.samples.length) > 1 && a.min <= b.max && b.min <= a.max;
}
