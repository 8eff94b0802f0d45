import { UsageError } from "../cli/run.ts";

export const FORMATS = ["csv", "ndjson", "json", "lines"] as const;

/** How the rows of a file are written. */
export type Format = typeof FORMATS[number];

const EXTENSIONS = new Map<string, Format>([
  ["csv", "csv"],
  ["ndjson", "ndjson"],
  ["jsonl", "ndjson"],
  ["json", "json"],
  ["tsv", "csv"],
  ["txt", "lines"],
]);

/**
 * Tells from the name of a file how its rows are written.
 *
 * @throws {UsageError} If the name does not tell.
 */
export function formatOf(path: string): Format {
  const extension = /\.([^./\\]+)(?:\.gz)?$/i.exec(path)?.[1].toLowerCase() ?? "";
  const format = EXTENSIONS.get(extension);
  if (format !== undefined) return format;
  throw new UsageError(
    `Cannot run this as ${
      path === "-" ? "the standard input" : `the name '${path}'`
    } does not tell the format: use --format with one of ${FORMATS.join(", ")}`,
  );
}

/** The delimiter that the name of a file tells. */
export function delimiterOf(path: string): string | undefined {
  return /\.tsv(?:\.gz)?$/i.test(path) ? "\t" : undefined;
}
