/** What an error of the server or the driver means for the rows that were sent. */
interface Meaning {
  readonly outcome: "failed" | "unknown";
  readonly retryable: boolean;
  readonly bisectable: boolean;
}

/** What a code means, and how it is said: "Cannot save rows as … (code): do this". */
interface Entry {
  readonly code: RegExp;
  readonly meaning: Meaning;
  readonly reason: string;
  /** What the user can do about it. */
  readonly advice?: string;
}

/** Names that an error is about. */
interface Names {
  readonly column_name?: string;
  readonly constraint_name?: string;
}

const REFUSED: Meaning = { outcome: "failed", retryable: false, bisectable: false };
const BAD_ROW: Meaning = { outcome: "failed", retryable: false, bisectable: true };
const TRY_AGAIN: Meaning = { outcome: "failed", retryable: true, bisectable: false };
const NOBODY_KNOWS: Meaning = { outcome: "unknown", retryable: true, bisectable: false };

/** The first match counts. Any other code was refused for good. */
const ENTRIES: readonly Entry[] = [
  ...badRows([
    [/^09/, "a trigger failed on it"],
    [/^21/, "it was to be changed twice"],
    [/^22001$/, "a value is too long for its column"],
    [/^22003$/, "a number is out of range for its column"],
    [/^2200[78]$/, "a date or time is not one that its column can hold"],
    [/^22021$/, "it has a character that PostgreSQL cannot store"],
    [/^22P02$/, "a value is not written as the type of its column requires"],
    [/^22P05$/, "it has a character that the encoding of the database lacks"],
    [/^22/, "a value is none that its column can hold"],
    [/^23502$/, "a column must not be null"],
    [/^23503$/, "it refers to a row that is not there"],
    [/^23505$/, "a row with the same unique value is there"],
    [/^23514$/, "it violates a check constraint"],
    [/^23P01$/, "a row that excludes it is there"],
    [/^23/, "it violates a constraint"],
    [/^27/, "a trigger has changed it meanwhile"],
    [/^38/, "a function outside the server failed on it"],
    [/^44/, "the view would not show it"],
    [/^54/, "it, or an entry of an index, is too large"],
    [/^P0/, "a trigger refused it"],
  ]),
  {
    code: /^40003$/,
    meaning: NOBODY_KNOWS,
    reason: "the server itself does not know whether the statement completed",
  },
  {
    code: /^40/,
    meaning: TRY_AGAIN,
    reason: "others were changing the same rows: it was rolled back, and may pass next time",
  },
  {
    code: /^53/,
    meaning: TRY_AGAIN,
    reason: "the server is out of memory, disk space or connections",
  },
  { code: /^55P03$/, meaning: TRY_AGAIN, reason: "a lock could not be had in time" },
  {
    code: /^57014$/,
    meaning: TRY_AGAIN,
    reason: "the statement was cancelled, as by statement_timeout",
  },
  {
    code: /^57P0[12]$/,
    meaning: NOBODY_KNOWS,
    reason: "the server ended the connection, perhaps after it committed",
  },
  {
    code: /^57P03$/,
    meaning: TRY_AGAIN,
    reason: "the server is starting or stopping: nothing was sent",
  },
  {
    code: /^25006$/,
    meaning: TRY_AGAIN,
    // As after a failover: the connection may lead to the new primary next time.
    reason: "the server is a standby, which cannot be written to",
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
    reason: "no connection to the server could be made: nothing was sent",
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
  {
    code: /^42/,
    meaning: REFUSED,
    reason: "the statement does not fit the table, or a trigger of it is broken",
    advice: "see the server's log",
  },
];

function badRows(rows: readonly (readonly [code: RegExp, reason: string])[]): Entry[] {
  return rows.map(([code, reason]) => ({ code, reason, meaning: BAD_ROW }));
}

function entryOf(code: string): Entry | undefined {
  return ENTRIES.find((one) => one.code.test(code));
}

/** What an error with this code means for the rows that were sent. */
export function meaningOf(code: string): Meaning {
  return entryOf(code)?.meaning ?? REFUSED;
}

/**
 * Why the server or the driver refused, as the end of a sentence: "… as a value is too long for its
 * column (22001)". It is made of the code and of names, and has nothing of what the server says: that
 * may quote values, in any language.
 */
export function reasonOf(code: string, { column_name, constraint_name }: Names = {}): string {
  const { reason, advice } = entryOf(code) ?? { reason: "the server or the driver refused it" };
  const about = [
    code,
    ...column_name === undefined ? [] : [`column '${column_name}'`],
    ...constraint_name === undefined ? [] : [`constraint '${constraint_name}'`],
  ];
  return `${reason} (${about.join(", ")})${advice === undefined ? "" : `: ${advice}`}`;
}

/** Why row-level security refused a row: its code is that of a user without rights to the table. */
export const ROW_SECURITY = "row-level security does not allow it (42501)";
