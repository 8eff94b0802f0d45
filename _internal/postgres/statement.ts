import type { Sql } from "postgres";

/** A process of the server, as a cancel request names it. */
export interface Backend {
  readonly pid: number;
  readonly secret: number;
}

/**
 * Rows in the driver's own bytes, how many the server counted, which command it has run (none where it
 * has not answered), which backend it was, and how the driver calls the statement.
 */
export type Answer =
  & {
    readonly count: number | null;
    readonly command: string | null;
    readonly state: Backend;
    readonly statement: { readonly name: string };
  }
  & readonly Uint8Array[][];

/** A query of postgres.js 3.4.9, with fields that its types do not show. */
interface DriverQuery extends Promise<unknown> {
  /** Set when a connection takes it; another object's, which changes when that connects again. */
  state: Backend | null;
  /** Whether the backend works on it, rather than on one before it. */
  readonly active: boolean;
  /** Whether the values wait until the server has described the statement. */
  readonly describeFirst?: boolean;
  /** Whether it is a prepared statement, once a connection has taken it. */
  readonly prepare?: unknown;
  strings: readonly string[];
  args: readonly unknown[];
  simple(): unknown;
}

/** A statement that was given to postgres.js. */
export class Statement {
  /** Resolves when it has ended for the driver: it was answered, or its connection broke. */
  readonly ended: Promise<void>;
  /** How it ended; an error of the driver still contains the values. */
  end: { readonly result: Answer } | { readonly error: unknown } | undefined;
  /** The backend that it was sent to, and when, on the monotonic clock. */
  sentTo: (Backend & { readonly at: number }) | undefined;
  readonly #query: DriverQuery;

  constructor(
    sql: Sql,
    text: string,
    parameters: readonly (string | null)[] = [],
    options?: { prepare: boolean },
  ) {
    const query = sql.unsafe(text, [...parameters], options).raw() as unknown as DriverQuery;
    Object.defineProperty(query, "state", {
      get: () => this.sentTo ?? null,
      set: ({ pid, secret }: Backend) => this.sentTo = { pid, secret, at: performance.now() },
    });
    // The driver's own retry of a statement that the server does not know may hang behind a pooler. It
    // asks for this a turn after the statement was sent.
    let prepared = false;
    Object.defineProperty(query, "prepared", {
      get: () => prepared,
      set(value: boolean) {
        prepared = value;
        queueMicrotask(() => prepared = false);
      },
    });
    this.#query = query;
    this.ended = query.then(
      (result) => {
        this.end = readAnswer(result as Answer);
      },
      (error) => {
        this.end = { error: this.#isForeign(error) ? lost("its connection broke") : error };
      },
    );
  }

  /**
   * Whether it is the answer to another statement, whose connection broke behind it: the driver gives it
   * to the one for which it connects again, and which it has not sent yet. A pooler that cannot connect
   * says so with a code of class 08.
   */
  #isForeign({ severity, code }: { severity?: string; code?: string }): boolean {
    return severity === "ERROR" && this.sentTo === undefined && !code?.startsWith("08");
  }

  /** Whether the backend works on it. */
  get isActive(): boolean {
    return this.#query.active;
  }

  /** Whether its values have left: before that, there is nothing that could take effect. */
  get hasLeft(): boolean {
    return this.sentTo !== undefined && !this.#query.describeFirst;
  }

  /** Whether the server itself has said how it ended, and so will do nothing more about it. */
  get isAnswered(): boolean {
    if (this.end === undefined) return false;
    if ("result" in this.end) return true;
    const { severity } = this.end.error as { severity?: string };
    return severity === "ERROR" || severity === "FATAL";
  }

  /**
   * Whether the server did not run it as it did not know the prepared statement, or knew another one
   * by its name: a pooler has put another server behind the connection.
   */
  get isMisprepared(): boolean {
    if (!this.#query.prepare || this.end === undefined || "result" in this.end) return false;
    const { code, severity } = this.end.error as { code?: string; severity?: string };
    return severity === "ERROR" && ["26000", "42P05", "08P01"].includes(code!);
  }

  /**
   * Takes it back if no connection has it yet. The driver's own `cancel()` would lose the connection
   * that is being opened for it, so a statement that does nothing takes its place.
   *
   * @returns Whether it was taken back.
   */
  withdraw(): boolean {
    if (this.sentTo !== undefined) return false;
    this.#query.simple();
    this.#query.strings = ["select"];
    this.#query.args = [];
    return true;
  }
}

function readAnswer(result: Answer): Statement["end"] {
  // The driver takes the greeting of a new connection for the answer to what the last one lost, with
  // the rows that had come.
  if (result.command === null) return { error: lost("the connection broke before the answer") };
  // Where a connection broke among rows, the driver goes on counting them in the next answer.
  const first = result.findIndex((_, i) => i in result);
  if (first > 0) (result as unknown as Uint8Array[][]).splice(0, first);
  return { result };
}

/** The error of a statement for which the driver has none. */
export function lost(why: string): Error {
  const error = new Error(`Cannot tell what became of a statement as ${why}`);
  return Object.assign(error, { code: "CONNECTION_CLOSED" });
}
