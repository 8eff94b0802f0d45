/** What an error of the server or the driver means for the rows that were sent. */
interface Meaning {
  readonly outcome: "failed" | "unknown";
  readonly retryable: boolean;
}

const NOT_SAVED: Meaning = { outcome: "failed", retryable: false };
const TRY_AGAIN: Meaning = { outcome: "failed", retryable: true };
const NOBODY_KNOWS: Meaning = { outcome: "unknown", retryable: true };

/** Which code means what, the longest match first. Whatever is not here was refused for good. */
const MEANINGS: readonly (readonly [code: RegExp, meaning: Meaning, reason: string])[] = [
  [/^40003$/, NOBODY_KNOWS, "the server itself does not know whether the statement completed"],
  [/^40/, TRY_AGAIN, "serialization failure or deadlock: rolled back, and may pass next time"],
  [/^53/, TRY_AGAIN, "out of memory, disk or connections: may have ended by the next time"],
  [/^55P03$/, TRY_AGAIN, "a lock could not be had in time"],
  [/^57P0[12]$/, NOBODY_KNOWS, "the backend was ended, perhaps after it committed"],
  [/^57P03$/, TRY_AGAIN, "the server is starting or stopping: nothing was sent"],
  [/^08/, NOBODY_KNOWS, "the connection broke while a statement may have been under way"],
  [
    /^(ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT)$/,
    TRY_AGAIN,
    "no connection was made: nothing was sent",
  ],
  [/^CONNECTION_ENDED$/, NOT_SAVED, "the program has ended the connections: nothing was sent"],
  [
    /^(CONNECTION_(CLOSED|DESTROYED)|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/,
    NOBODY_KNOWS,
    "the connection broke before the answer came",
  ],
];

/** The fields of a server's error that name things and show no values. */
const FIELDS = ["severity", "schema_name", "table_name", "column_name", "constraint_name"] as const;

/**
 * A row or a batch that PostgreSQL did not save, or that was refused before it was sent.
 *
 * It shows what the server said without the values of the row: neither the parameters of the query,
 * nor the server's detail ("Failing row contains …"), nor what its message quotes of the data.
 *
 * @example Telling a duplicate from other errors
 * ```ts
 * import { PostgresWriteError } from "@burst/batcher/postgres";
 *
 * function isDuplicate(error: unknown): boolean {
 *   return error instanceof PostgresWriteError && error.code === "23505";
 * }
 * console.log(isDuplicate(new Error("another")));
 * ```
 */
export class PostgresWriteError extends Error {
  /** The SQLSTATE, as 23505 for a duplicate, or the driver's code, as ECONNREFUSED. */
  readonly code: string;
  /** Whether the server said no, or nobody knows what became of the rows. */
  readonly outcome: "failed" | "unknown";
  /** Whether the same rows may be saved another time. */
  readonly retryable: boolean;
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
   * @param options `sent: false` where the rows are known not to have been sent.
   */
  constructor(code: string, message: string, options: { sent?: boolean } = {}) {
    super(message);
    this.name = "PostgresWriteError";
    this.code = code;
    const [, meaning] = MEANINGS.find(([pattern]) => pattern.test(code)) ?? [undefined, NOT_SAVED];
    this.outcome = options.sent === false ? "failed" : meaning.outcome;
    this.retryable = meaning.retryable;
  }
}

/** What the driver rejected with, without the values that it carries. */
export function withoutValues(error: unknown, options?: { sent?: boolean }): unknown {
  if (error instanceof PostgresWriteError || !(error instanceof Error)) return error;
  const { code, message } = error as Error & { code?: unknown };
  // Without a code it is neither from the server nor from the driver, but a mistake in a program.
  if (typeof code !== "string") return error;
  const shown = code.startsWith("22") ? withoutQuotes(message) : message;
  const safe = new PostgresWriteError(code, shown, options);
  for (const field of FIELDS) {
    const value = (error as unknown as Record<string, unknown>)[field];
    if (typeof value === "string") Object.defineProperty(safe, field, { value, enumerable: true });
  }
  return safe;
}

/** What the messages of the data exceptions (class 22) quote is the offending value. */
function withoutQuotes(message: string): string {
  return message.replace(/"[^]*"/, '"…"');
}
