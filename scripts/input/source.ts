/** A column that the input must have, and the flag that names it. */
export interface Wanted {
  readonly name: string;
  readonly flag: string;
}

/** A row as the input has it: what its columns hold. In plain lines the column is `text`. */
export interface SourceRow {
  /** Line of the file on which it begins, counted from 1, and for CSV the one on which it ends. */
  readonly line: number;
  readonly lastLine?: number;
  readonly value: Readonly<Record<string, unknown>>;
}
