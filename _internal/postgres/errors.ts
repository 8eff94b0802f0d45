import { OutcomeError } from "../shared/outcome.ts";
import { meaningOf, reasonOf, ROW_SECURITY } from "./sqlstate.ts";

/** What does not follow from the code of an error. */
interface WriteErrorOptions {
  readonly sent?: boolean;
  readonly over?: boolean;
  readonly bisectable?: boolean;
}

/** The fields of a server's error that contain names and no values. */
const FIELDS = ["schema_name", "table_name", "column_name", "constraint_name"] as const;

/**
 * Where the server itself reports a violated constraint. A trigger can raise the same codes with
 * anything in the place of the names.
 */
const TRUSTED_ROUTINES = new Set([
  "_bt_check_unique",
  "check_exclusion_or_unique_constraint",
  "ExecConstraints",
  "ExecEvalConstraintCheck",
  "ExecEvalConstraintNotNull",
  "ExecPartitionCheckEmitError",
  "ReportNotNullViolationError",
  "ri_ReportViolation",
]);

/**
 * A row or a batch that PostgreSQL did not save, or that was refused before it was sent.
 *
 * The message says why in words of its own, made of the code and of the names of the column and the
 * constraint. What the server said, its detail and the parameters of the query are dropped, as they
 * may contain values of the row: the server's log has them.
 *
 * @example Recognise a duplicate
 * ```ts
 * import { PostgresWriteError } from "@burst/batcher/postgres";
 *
 * function isDuplicate(error: unknown): boolean {
 *   return error instanceof PostgresWriteError && error.code === "23505";
 * }
 * console.log(isDuplicate(new Error("another")));
 * ```
 */
export class PostgresWriteError extends OutcomeError {
  /** The SQLSTATE, such as 23505 for a duplicate, or the driver's code, such as ECONNREFUSED. */
  readonly code: string;
  /** Whether the server refused the rows, or it is unknown what became of them. */
  declare readonly outcome: "failed" | "unknown";
  /** Whether another attempt at the same rows may succeed. */
  declare readonly retryable: boolean;
  /** Whether it is about single rows, so that the others of the batch may be saved. */
  declare readonly bisectable: boolean;
  /**
   * Whether the statement is known to be over. If not, the rows may still be saved after this error.
   */
  readonly over: boolean;
  /** As the server sent it: ERROR or FATAL. */
  declare readonly severity?: string;
  /** The schema that the error is about. */
  declare readonly schema_name?: string;
  /** The table that the error is about. */
  declare readonly table_name?: string;
  /** The column that the error is about. */
  declare readonly column_name?: string;
  /** The constraint that the rows violate. */
  declare readonly constraint_name?: string;

  /**
   * Constructs an error.
   *
   * @param code The SQLSTATE or the driver's code.
   * @param message What could not be done, and why.
   * @param options `sent: false` if the rows were certainly not sent, `over: false` if the statement may
   *   still go on, and `bisectable` if it does not follow from the code.
   */
  constructor(code: string, message: string, options: WriteErrorOptions = {}) {
    const meaning = meaningOf(code);
    const bisectable = options.bisectable ?? meaning.bisectable;
    super(options.sent === false ? "failed" : meaning.outcome, message, { ...meaning, bisectable });
    this.name = "PostgresWriteError";
    this.code = code;
    this.over = options.over ?? true;
  }
}

/** What a table is used for, as errors say it: of many rows or keys, and of one. */
const ONE = { "save rows": "save a row", "look up keys": "look up a key" } as const;

/** What a table is used for. */
export type Purpose = keyof typeof ONE;

/** The error of a row or a key that cannot be written, found before it is sent. */
export function badValue(purpose: Purpose, code: string, why: string): PostgresWriteError {
  return new PostgresWriteError(code, `Cannot ${ONE[purpose]} as ${why}`, { bisectable: true });
}

/**
 * The driver's error, without what the server says and without the values that it carries.
 *
 * @param intent What could not be done: a purpose, or any other.
 */
export function withoutValues(
  error: unknown,
  intent: string,
  options?: WriteErrorOptions,
): unknown {
  if (error instanceof PostgresWriteError || !(error instanceof Error)) return error;
  const { code, routine, severity, ...fields } = error as Error & ServerFields;
  // Without a code it comes neither from the server nor from the driver: it is a bug.
  if (typeof code !== "string") return error;
  const isRowSecurity = code === "42501" && routine === "ExecWithCheckOptions";
  const bisectable = isRowSecurity || meaningOf(code).bisectable;
  const names = TRUSTED_ROUTINES.has(routine ?? "") ? namesOf(fields) : {};
  const what = bisectable && Object.hasOwn(ONE, intent) ? ONE[intent as Purpose] : intent;
  const why = isRowSecurity ? ROW_SECURITY : reasonOf(code, names);
  const safe = new PostgresWriteError(code, `Cannot ${what} as ${why}`, { bisectable, ...options });
  const shown = { ...names, ...typeof severity === "string" && { severity } };
  for (const [field, value] of Object.entries(shown)) {
    Object.defineProperty(safe, field, { value, enumerable: true });
  }
  return safe;
}

/** What a server's error has, as postgres.js gives it. */
interface ServerFields {
  readonly code?: unknown;
  readonly routine?: string;
  readonly severity?: string;
}

function namesOf(
  fields: Readonly<Record<string, unknown>>,
): { [K in typeof FIELDS[number]]?: string } {
  return Object.fromEntries(
    FIELDS.filter((name) => typeof fields[name] === "string").map((name) => [name, fields[name]]),
  );
}
