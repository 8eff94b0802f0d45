const SIZE = 256;

/**
 * A text as a vector of length 1, in which texts with the same parts of words point the same way: the
 * dot product of two vectors is their similarity. No vocabulary is needed, as each three letters are
 * hashed to one of the vector's places.
 */
export default function textFeatures({ text }: { text: string }) {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu);
  if (words === null) return null; // There is nothing to save.
  const features = new Array<number>(SIZE).fill(0);
  for (const word of words) {
    const letters = ` ${word} `;
    for (let i = 0; i + 3 <= letters.length; i++) {
      const hash = fnv1a(letters.slice(i, i + 3));
      // The sign lets what meets in one place by chance cancel out.
      features[hash % SIZE] += hash & 0x4000_0000 ? 1 : -1;
    }
  }
  const length = Math.hypot(...features) || 1;
  return { words: words.length, features: features.map((feature) => feature / length) };
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
