/** A time with three digits and its unit. */
export function duration(ms: number): string {
  const { scale, unit, digits } = unitOf(ms);
  return `${(ms / scale).toFixed(digits)} ${unit}`;
}

/** Two times in the unit of the larger. */
export function range(low: number, high: number): string {
  const { scale, unit, digits } = unitOf(high);
  return `${(low / scale).toFixed(digits)} – ${(high / scale).toFixed(digits)} ${unit}`;
}

function unitOf(ms: number): { scale: number; unit: string; digits: number } {
  if (ms >= 99_950) return { scale: 1000, unit: "s", digits: 0 };
  if (ms >= 9995) return { scale: 1000, unit: "s", digits: 1 };
  if (ms >= 999.5) return { scale: 1000, unit: "s", digits: 2 };
  return { scale: 1, unit: "ms", digits: ms >= 99.95 ? 0 : ms >= 9.995 ? 1 : 2 };
}

/** A factor, or a dash. */
export function factor(value: number | null): string {
  return value === null ? "–" : `${value.toFixed(2)}×`;
}

/** A share in percent. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`;
}

/** A bar of block elements: a share of so many characters, at least an eighth of one. */
export function bar(share: number, characters: number): string {
  const eighths = Math.max(1, Math.round(share * characters * 8));
  const rest = eighths % 8;
  return "█".repeat(eighths >> 3) + (rest === 0 ? "" : String.fromCharCode(0x2590 - rest));
}
