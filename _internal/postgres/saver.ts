import type { Sql } from "postgres";
import type { Batch } from "../../batcher.ts";
import { UnknownOutcomeError } from "../shared/outcome.ts";
import { ask, cellOf } from "./ask.ts";
import { badValue, PostgresWriteError } from "./errors.ts";
import {
  type ConflictPlan,
  hasVersions,
  insertStatement,
  ownRowsStatement,
  thereStatement,
  upsertStatement,
} from "./insert.ts";
import { run } from "./run.ts";
import type { Table } from "./table.ts";
import { arrayText, type Cell, lengthOf } from "./text.ts";

/** What became of a row. */
export type RowOutcome = "inserted" | "updated" | "skipped";

/** Values that are written already, one array a column: `cells[column][row]`. */
export type Cells = readonly (readonly Cell[])[];

/**
 * Most characters in a batch of several rows. Ten such batches may be under way, and each is to end
 * within its timeout.
 */
const MAX_BATCH = 2 ** 24;

/**
 * Most characters in a row. Where each is escaped, JavaScript holds no longer text; and a message to the
 * server has at most 1 GB, which is three bytes for each and some room.
 */
const MAX_ROW = 2 ** 28 - 2 ** 10;

const OUTCOMES: Record<string, RowOutcome> = {
  i: "inserted",
  u: "updated",
  s: "skipped",
  m: "skipped",
};

/** Saves rows whose values are written already, and tells of each what became of it. */
export class Saver {
  readonly table: Table;
  readonly #sql: Sql;
  readonly #conflict: ConflictPlan | undefined;
  readonly #statement: string;

  constructor(sql: Sql, table: Table, conflict: ConflictPlan | undefined) {
    this.table = table;
    this.#sql = sql;
    this.#conflict = conflict;
    this.#statement = conflict === undefined
      ? insertStatement(table)
      : upsertStatement(table, conflict);
  }

  async save(
    cells: Cells,
    { attempt, unanswered = attempt > 1, signal }: Batch,
  ): Promise<readonly (RowOutcome | Error)[]> {
    checkLength(cells);
    const parameters = cells.map(arrayText);
    const conflict = this.#conflict;
    if (conflict === undefined) return await this.#insert(parameters, cells[0].length, signal);
    const options = { conflict, signal };
    const isUpdate = conflict.update !== undefined;
    // The rows that an earlier attempt has inserted can be told only until they are updated.
    const looks = unanswered && isUpdate && hasVersions(this.table);
    const own = looks ? await this.#ownRows(parameters, options) : "";
    const size = cells[0].length;
    const letters = cellOf(
      await run(this.#sql, this.#statement, {
        parameters: [...parameters, String(size)],
        signal,
        fenced: isUpdate,
      }),
    );
    if (letters === "") return allInserted(size);
    if (!unanswered || isUpdate) return await this.#tell(letters, own, parameters, options);
    return letters.includes("m")
      ? await this.#claim(letters, parameters, options)
      : outcomesOf(letters);
  }

  /**
   * Asks the server to plan the statement, which it does not run: it refuses what cannot work. Where
   * the table is locked it would wait, so it is not asked.
   *
   * @throws {PostgresWriteError} If it refuses.
   */
  async explain(): Promise<void> {
    if (this.table.isLocked) return;
    const size = this.#conflict === undefined ? [] : ["0"];
    await ask(this.#sql, `explain ${this.#statement}`, {
      intent: `save rows to ${this.table.quoted}`,
      parameters: [...this.table.columns.map(() => "{}"), ...size],
      quotable: true,
    });
  }

  async #insert(
    parameters: readonly string[],
    size: number,
    signal: AbortSignal,
  ): Promise<RowOutcome[]> {
    const { count } = await run(this.#sql, this.#statement, { parameters, signal });
    if (count === size) return allInserted(size);
    throw new UnknownOutcomeError(
      `Cannot tell which of ${size} rows were saved as the server counts ${count}: a trigger or rule of table ${this.table.quoted} changes what is inserted`,
    );
  }

  /**
   * Tells what became of rows. One that did not come back is there already; or a trigger has kept it
   * out or changed its key, and it takes a look to tell.
   *
   * @param own Of each row, an `o` where it is there as our own, from an earlier attempt.
   */
  async #tell(
    letters: string,
    own: string,
    parameters: readonly string[],
    { conflict, signal }: { conflict: ConflictPlan; signal: AbortSignal },
  ): Promise<(RowOutcome | Error)[]> {
    const outcomes: (RowOutcome | Error)[] = outcomesOf(letters, own);
    const isMissing = (i: number) => letters[i] === "m" && own[i] !== "o";
    const missing = [...outcomes.keys()].filter(isMissing);
    const hasStrays = letters.endsWith("!");
    const isSure = conflict.update === undefined && !this.table.mayChangeRows && !hasStrays;
    if (missing.length === 0 || isSure) return outcomes;
    const { quoted } = this.table;
    const doubt = (why: string, options?: { cause: unknown; retryable: boolean }) =>
      new UnknownOutcomeError(
        `Cannot tell what became of a row as ${why}: a trigger of table ${quoted} may have kept it out, or changed its key`,
        options,
      );
    let there = "";
    if (conflict.update === undefined && !hasStrays) {
      const statement = thereStatement(this.table, conflict);
      try {
        there = cellOf(await run(this.#sql, statement, { parameters, signal, reads: true }));
      } catch (cause) {
        const error = doubt("the table could not be read", { cause, retryable: true });
        for (const i of missing) outcomes[i] = error;
        return outcomes;
      }
    }
    for (const i of missing) {
      if (there[i] !== "t") outcomes[i] = doubt("the server did not return it");
    }
    return outcomes;
  }

  /** After an attempt that was never answered, a row that is there may be our own. */
  async #claim(
    letters: string,
    parameters: readonly string[],
    options: { conflict: ConflictPlan; signal: AbortSignal },
  ): Promise<(RowOutcome | Error)[]> {
    try {
      const own = await this.#ownRows(parameters, options);
      return await this.#tell(letters, own, parameters, options);
    } catch (cause) {
      const doubt = new UnknownOutcomeError(
        "Cannot tell whether a row was saved or was there before as the table could not be read",
        { cause, retryable: true },
      );
      return outcomesOf(letters).map((outcome) => outcome === "skipped" ? doubt : outcome);
    }
  }

  async #ownRows(
    parameters: readonly string[],
    { conflict, signal }: { conflict: ConflictPlan; signal: AbortSignal },
  ): Promise<string> {
    return cellOf(
      await run(this.#sql, ownRowsStatement(this.table, conflict), {
        parameters: [...parameters, this.table.since],
        signal,
        reads: true,
      }),
    );
  }
}

/**
 * Refuses rows that are too much for one statement, so that they come again in halves, and a row that
 * is too much alone.
 */
function checkLength(cells: Cells): void {
  const length = lengthOf(cells);
  if (cells[0].length > 1 && length > MAX_BATCH) {
    throw new PostgresWriteError(
      "54000",
      `Cannot save rows as they have more than ${MAX_BATCH} characters together (54000)`,
    );
  }
  if (length <= MAX_ROW) return;
  throw badValue("save rows", "54000", `it has more than ${MAX_ROW} characters (54000)`);
}

function allInserted(size: number): RowOutcome[] {
  return Array<RowOutcome>(size).fill("inserted");
}

/** `own`: of each row, an `o` where it is there as our own, from an earlier attempt. */
function outcomesOf(letters: string, own = ""): RowOutcome[] {
  return Array.from(
    letters.replace("!", ""),
    (letter, i) => own[i] === "o" ? "inserted" : OUTCOMES[letter],
  );
}
