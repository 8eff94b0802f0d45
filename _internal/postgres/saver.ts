import type { Sql } from "postgres";
import type { Batch } from "../../batcher.ts";
import { UnknownOutcomeError } from "../shared/outcome.ts";
import { cellOf } from "./ask.ts";
import {
  type ConflictPlan,
  hasVersions,
  insertStatement,
  ownRowsStatement,
  upsertStatement,
} from "./insert.ts";
import { run } from "./run.ts";
import type { Table } from "./table.ts";
import { textArray } from "./text.ts";

/** What became of a row. */
export type RowOutcome = "inserted" | "updated" | "skipped";

/** Values as text, one array a column: `cells[column][row]`. */
export type Cells = readonly (readonly (string | null)[])[];

const OUTCOMES: Record<string, RowOutcome> = { i: "inserted", u: "updated", s: "skipped" };

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
    const parameters = cells.map(textArray);
    const conflict = this.#conflict;
    if (conflict === undefined) return await this.#insert(parameters, cells[0].length, signal);
    const fenced = conflict.update !== undefined;
    const upsert = async () =>
      cellOf(await run(this.#sql, this.#statement, { parameters, signal, fenced }));
    if (!unanswered) return outcomesOf(await upsert());
    if (conflict.update === undefined) {
      const letters = await upsert();
      return letters.includes("s")
        ? await this.#claim(letters, parameters, { conflict, signal })
        : outcomesOf(letters);
    }
    // The rows that an earlier attempt has inserted can be told only until they are updated.
    const own = hasVersions(this.table)
      ? await this.#ownRows(parameters, { conflict, signal })
      : "";
    return outcomesOf(await upsert(), own);
  }

  async #insert(
    parameters: readonly string[],
    size: number,
    signal: AbortSignal,
  ): Promise<RowOutcome[]> {
    const { count } = await run(this.#sql, this.#statement, { parameters, signal });
    if (count === size) return Array<RowOutcome>(size).fill("inserted");
    throw new UnknownOutcomeError(
      `Cannot tell which of ${size} rows were saved as the server counts ${count}: a trigger or rule of table ${this.table.quoted} changes what is inserted`,
    );
  }

  /** After an attempt that was never answered, a row that is there may be our own. */
  async #claim(
    letters: string,
    parameters: readonly string[],
    options: { conflict: ConflictPlan; signal: AbortSignal },
  ): Promise<(RowOutcome | Error)[]> {
    try {
      return outcomesOf(letters, await this.#ownRows(parameters, options));
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

/** `own`: of each row, an `o` where it is there as our own, from an earlier attempt. */
function outcomesOf(letters: string, own = ""): RowOutcome[] {
  return Array.from(letters, (letter, i) => own[i] === "o" ? "inserted" : OUTCOMES[letter]);
}
