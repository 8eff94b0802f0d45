/** What a text is printed on. */
export interface Screen {
  /** Characters in a line. */
  readonly columns: number;
  readonly colours: boolean;
}

/** A pipe or a file: as wide as the terminals that it is likely to be read in. */
export const NO_TERMINAL: Screen = { columns: 80, colours: false };

const STYLES = { bold: 1, dim: 2, green: 32 };

/** The terminal behind the standard output, if there is one. */
export function standardOutput(): Screen {
  if (!Deno.stdout.isTerminal()) return NO_TERMINAL;
  return { columns: terminalColumns(), colours: !Deno.noColor };
}

/** The width of the terminal, also of one that does not know it. */
export function terminalColumns(): number {
  return Deno.consoleSize().columns || NO_TERMINAL.columns;
}

/** The text in a style, on a screen that has colours. */
export function styled(text: string, style: keyof typeof STYLES, { colours }: Screen): string {
  return colours && text !== "" ? `\x1b[${STYLES[style]}m${text}\x1b[0m` : text;
}
