const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Letters, one a call: drawn from the system's randomness, or always the same for a seed. */
export function letterStream(seed?: number): () => string {
  const next = seed === undefined ? randomByte : seededByte(seed);
  const limit = 256 - 256 % LETTERS.length;
  return () => {
    // A byte of the incomplete last round would favour the first letters.
    for (;;) {
      const byte = next();
      if (byte < limit) return LETTERS[byte % LETTERS.length];
    }
  };
}

function randomByte(): number {
  return crypto.getRandomValues(new Uint8Array(1))[0];
}

/** SplitMix32: neighbouring seeds give unrelated streams. */
function seededByte(seed: number): () => number {
  let state = (seed ^ Math.floor(seed / 2 ** 32)) | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 24;
  };
}
