/** Bits that are computed beyond those asked for, as the last ones are not exact. */
const GUARD = 64;

/** The fraction of π in words of 32 bits, from the first on: 0x243f6a88, 0x85a308d3, … */
export function piFraction(words: number): Uint32Array {
  const bits = 32 * words + GUARD;
  // Every term of the series gives 47 bits.
  const { q, t } = chudnovsky(0, Math.ceil(bits / 47));
  const pi = 426880n * squareRoot(10005n << BigInt(2 * bits)) * q / t;
  const hex = (pi >> BigInt(GUARD)).toString(16).slice("3".length);
  return Uint32Array.from({ length: words }, (_, i) => parseInt(hex.slice(8 * i, 8 * i + 8), 16));
}

/** Terms of the Chudnovsky series, by binary splitting: π = 426880 √10005 q / t. */
function chudnovsky(from: number, to: number): { p: bigint; q: bigint; t: bigint } {
  if (to - from === 1) {
    const k = BigInt(from);
    const p = from === 0 ? 1n : (5n - 6n * k) * (2n * k - 1n) * (6n * k - 1n);
    const q = from === 0 ? 1n : k ** 3n * 10939058860032000n;
    return { p, q, t: p * (13591409n + 545140134n * k) };
  }
  const middle = (from + to) >> 1;
  const a = chudnovsky(from, middle), b = chudnovsky(middle, to);
  return { p: a.p * b.p, q: a.q * b.q, t: a.t * b.q + a.p * b.t };
}

/** Newton's step from the root of the leading half of the digits; exact but for the last bits. */
function squareRoot(n: bigint): bigint {
  const digits = n.toString(16).length;
  if (digits <= 12) return BigInt(Math.floor(Math.sqrt(Number(n))));
  const bits = 2n * BigInt(digits >> 2);
  const guess = squareRoot(n >> (2n * bits)) << bits;
  return (guess + n / guess) >> 1n;
}
