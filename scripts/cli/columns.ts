/**
 * Aligns a table for a terminal.
 *
 * @param rows The texts of each row.
 * @param left The places of the columns that are aligned to the left; the others are to the right.
 * @returns A line for each row.
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  left: readonly number[] = [0],
): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((cells) => cells[i].length)));
  return rows.map((cells) =>
    cells.map((cell, i) => left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))
      .join("  ").trimEnd()
  );
}

/**
 * Breaks a sentence into lines, between words.
 *
 * @param columns The most characters of a line. A longer word has a line to itself.
 */
export function wrap(sentence: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of sentence.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns) {
      lines[lines.length - 1] = `${line} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/**
 * Sets terms beside what they mean, as in `--help`.
 *
 * @param columns The most characters of a line.
 * @param widest The width of the terms. A longer one has a line to itself.
 */
export function alignTerms(
  terms: readonly (readonly [term: string, meaning: string])[],
  columns: number,
  widest = 24,
): string[] {
  const width = Math.max(...terms.map(([{ length }]) => length).filter((n) => n <= widest));
  const margin = " ".repeat(2 + width + 2);
  return terms.flatMap(([term, meaning]) => {
    const lines = wrap(meaning, columns - margin.length).map((line) => margin + line);
    if (term.length > width) return [`  ${term}`, ...lines];
    return [`  ${term}`.padEnd(margin.length) + lines[0].trimStart(), ...lines.slice(1)];
  });
}
