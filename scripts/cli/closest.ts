/**
 * Finds the word that somebody meant who has mistyped it.
 *
 * @returns A word of several parts that starts or ends with the text, or else the nearest one that is a
 *   third of its letters away at most; `undefined` if there is none.
 */
export function closest<T extends string>(text: string, words: readonly T[]): T | undefined {
  const part = words.find((word) => word.startsWith(`${text}-`) || word.endsWith(`-${text}`));
  if (part !== undefined) return part;
  let best: { word: T; distance: number } | undefined;
  for (const word of words) {
    const distance = editDistance(text.toLowerCase(), word);
    if (distance > Math.max(1, Math.floor(word.length / 3))) continue;
    if (best === undefined || distance < best.distance) best = { word, distance };
  }
  return best?.word;
}

/** How many letters are missing, too many, wrong, or in each other's place. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) next[j] = Math.min(next[j], before[j - 2] + 1);
    }
    [before, row] = [row, next];
  }
  return row[b.length];
}
