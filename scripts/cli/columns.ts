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
