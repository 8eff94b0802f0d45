/** A text of somebody else's as it may be printed: one line, and nothing that steers a terminal. */
export function printable(text: string, maxLength = 500): string {
  return text.slice(0, maxLength).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, "\u{FFFD}");
}
