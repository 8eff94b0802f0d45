import { OutcomeError } from "../shared/outcome.ts";

/** What an error of the server or the driver means for the rows that were sent. */
interface Meaning {
  readonly outcome: "failed" | "unknown";
  readonly retryable: boolean;
  readonly bisectable: boolean;
}

const REFUSED: Meaning = { outcome: "failed", retryable: false, bisectable: false };
const BAD_ROW: Meaning = { outcome: "failed", retryable: false, bisectable: true };
const TRY_AGAIN: Meaning = { outcome: "failed", retryable: true, bisectable: false };
const NOBODY_KNOWS: Meaning = { outcome: "unknown", retryable: true, bisectable: false };

/** What each code means; the first match counts. Any other code was refused for good. */
const MEANINGS: readonly {
  readonly code: RegExp;
  readonly meaning: Meaning;
  readonly reason: string;
  /** What the user can do about it. */
  readonly advice?: string;
}[] = [
  { code: /^09/, meaning: BAD_ROW, reason: "a trigger failed on a row" },
  { code: /^21/, meaning: BAD_ROW, reason: "a row was to be changed twice" },
  { code: /^22/, meaning: BAD_ROW, reason: "a value that the column cannot hold" },
  { code: /^23/, meaning: BAD_ROW, reason: "a row that violates a constraint" },
  { code: /^27/, meaning: BAD_ROW, reason: "a trigger has changed the row meanwhile" },
  { code: /^38/, meaning: BAD_ROW, reason: "a function outside the server failed on a row" },
  { code: /^44/, meaning: BAD_ROW, reason: "a row that the view would not show" },
  { code: /^54/, meaning: BAD_ROW, reason: "a row, or an index entry, that is too large" },
  { code: /^P0/, meaning: BAD_ROW, reason: "a trigger refused a row" },
  {
    code: /^40003$/,
    meaning: NOBODY_KNOWS,
    reason: "the server itself does not know whether the statement completed",
  },
  {
    code: /^40/,
    meaning: TRY_AGAIN,
    reason: "serialization failure or deadlock: rolled back, and may pass next time",
  },
  {
    code: /^53/,
    meaning: TRY_AGAIN,
    reason: "out of memory, disk or connections: may have ended by the next time",
  },
  { code: /^55P03$/, meaning: TRY_AGAIN, reason: "a lock could not be had in time" },
  {
    code: /^57014$/,
    meaning: TRY_AGAIN,
    reason: "cancelled, as by statement_timeout: rolled back, and may be faster next time",
  },
  {
    code: /^57P0[12]$/,
    meaning: NOBODY_KNOWS,
    reason: "the backend was ended, perhaps after it committed",
  },
  {
    code: /^57P03$/,
    meaning: TRY_AGAIN,
    reason: "the server is starting or stopping: nothing was sent",
  },
  {
    code: /^25006$/,
    meaning: TRY_AGAIN,
    reason: "a standby, as after a failover: the connection may lead to the new primary next time",
    advice: "connect to the primary server",
  },
  {
    code: /^08/,
    meaning: NOBODY_KNOWS,
    reason: "the connection broke while a statement may have been under way",
  },
  {
    code: /^(ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT)$/,
    meaning: TRY_AGAIN,
    reason: "no connection was made: nothing was sent",
  },
  {
    code: /^CONNECTION_ENDED$/,
    meaning: REFUSED,
    reason: "the program has ended the connections: nothing was sent",
  },
  {
    code: /^(CONNECTION_(CLOSED|DESTROYED)|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT)$/,
    meaning: NOBODY_KNOWS,
    reason: "the connection broke before the answer came",
  },
  {
    code: /^28/,
    meaning: REFUSED,
    reason: "the server does not let the user in",
    advice: "check the user, the password and the server's pg_hba.conf",
  },
  {
    code: /^3D000$/,
    meaning: REFUSED,
    reason: "there is no such database",
    advice: "create the database, or correct its name",
  },
  {
    code: /^42501$/,
    meaning: REFUSED,
    reason: "the user may not do that",
    advice: "grant the user SELECT and INSERT on the table, and UPDATE where rows are updated",
  },
  {
    code: /^(42P01|3F000)$/,
    meaning: REFUSED,
    reason: "there is no such table",
    advice: "create the table, or correct its name",
  },
  {
    code: /^(26000|42P05)$/,
    meaning: REFUSED,
    reason: "a pooler has put another server behind the connection",
    advice: "give postgres.js the option 'prepare: false'",
  },
];

/** What does not follow from the code of an error. */
interface WriteErrorOptions {
  readonly sent?: boolean;
  readonly over?: boolean;
  readonly bisectable?: boolean;
}

/** The fields of a server's error that contain names and no values. */
const FIELDS = ["severity", "schema_name", "table_name", "column_name", "constraint_name"] as const;

/**
 * A row or a batch that PostgreSQL did not save, or that was refused before it was sent.
 *
 * It says what the server said, without the values of the row: it drops the parameters of the query,
 * the server's detail ("Failing row contains …"), and what the message quotes of the data.
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
    const meaning = entryOf(code)?.meaning ?? REFUSED;
    const bisectable = options.bisectable ?? meaning.bisectable;
    super(options.sent === false ? "failed" : meaning.outcome, message, { ...meaning, bisectable });
    this.name = "PostgresWriteError";
    this.code = code;
    this.over = options.over ?? true;
  }
}

function entryOf(code: string) {
  return MEANINGS.find((one) => one.code.test(code));
}

/** What a table is used for, as errors say it: of many rows or keys, and of one. */
const ONE = { "save rows": "save a row", "look up keys": "look up a key" } as const;

/** What a table is used for. */
export type Purpose = keyof typeof ONE;

/** The error of a row or a key that cannot be written, found before it is sent. */
export function badValue(purpose: Purpose, code: string, why: string): PostgresWriteError {
  return new PostgresWriteError(code, `Cannot ${ONE[purpose]} as ${why}`, { bisectable: true });
}

/** The driver's error, without the values that it carries. */
export function withoutValues(error: unknown, options?: WriteErrorOptions): unknown {
  if (error instanceof PostgresWriteError || !(error instanceof Error)) return error;
  const { code, message, routine } = error as Error & { code?: unknown; routine?: unknown };
  // Without a code it comes neither from the server nor from the driver: it is a bug.
  if (typeof code !== "string") return error;
  // Row security refuses a row with the code for a user without rights to the table.
  const isRowSecurity = code === "42501" && routine === "ExecWithCheckOptions";
  const advice = isRowSecurity ? undefined : entryOf(code)?.advice;
  const shown = code.startsWith("22") ? withoutQuotes(message) : message;
  const safe = new PostgresWriteError(code, advice ? `${shown}: ${advice}` : shown, {
    ...options,
    ...isRowSecurity && { bisectable: true },
  });
  for (const field of FIELDS) {
    const value = (error as unknown as Record<string, unknown>)[field];
    if (typeof value === "string") Object.defineProperty(safe, field, { value, enumerable: true });
  }
  return safe;
}

/** Messages of data exceptions (class 22) quote the offending value. */
function withoutQuotes(message: string): string {
  return message.replace(/"[^]*"/, '"…"');
}
