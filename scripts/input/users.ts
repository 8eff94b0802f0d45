import { checkHash } from "../../workload.ts";
import { ScriptError } from "../cli/run.ts";
import { type PagesOptions, readPages } from "./pages.ts";
import { type InputColumns, type InputRow, type Page, rowMaker } from "./row.ts";
import { looksHashed } from "./suspicion.ts";

/** Options of {@linkcode readUsers}. */
export interface UsersOptions extends Omit<PagesOptions<InputRow>, "wanted" | "makeRow"> {
  readonly columns: InputColumns;
  /** Whether a password is taken as it is written, also where it looks like none. */
  readonly literal: boolean;
  /**
   * Whether there are hashes in the place of passwords; `undefined` where the script cannot take them.
   */
  readonly hashed?: boolean | undefined;
}

/**
 * Reads users, with ids and passwords, as a stream.
 *
 * @throws {ScriptError} If the input cannot be read for certain.
 */
export async function* readUsers(
  chunks: AsyncIterable<Uint8Array>,
  options: UsersOptions,
): AsyncGenerator<Page> {
  const { columns, literal, hashed, format } = options;
  const wanted = [
    { name: columns.id, flag: "id" },
    { name: columns.password, flag: "password" },
    ...columns.carried.map((name) => ({ name, flag: "columns" })),
  ];
  const makeRow = rowMaker({
    columns,
    lines: format === "lines",
    csv: format === "csv",
    literal,
    ...hashed && { hashed },
  });
  let first = true;
  for await (const page of readPages(chunks, { ...options, wanted, makeRow })) {
    yield literal || hashed ? page : page.map(refuseHash);
    first &&= page.length === 0;
  }

  /** A hash that can be verified may be saved as it is, where the script can do that. */
  function hintFor(password: string): string {
    if (hashed === undefined) return "";
    try {
      checkHash(password);
      return ", or --hashed to save hashes as they are";
    } catch {
      return "";
    }
  }

  function refuseHash(row: Page[number], _: number, page: Page): Page[number] {
    if ("reason" in row) return row;
    const likeness = looksHashed(row.password);
    if (likeness === undefined) return row;
    // One hexadecimal number may be a password. A file of them is a file of hashes.
    if (first && page.every((other) => "reason" in other || looksHashed(other.password))) {
      throw new ScriptError(
        `Cannot hash the passwords as they look like hashes already, line ${row.line} like ${likeness.what}: pass --literal if they are passwords${
          hintFor(row.password)
        }`,
      );
    }
    if (!likeness.certain) return row;
    return {
      line: row.line,
      reason: `its password looks like ${likeness.what}: pass --literal if it is a password${
        hintFor(row.password)
      }`,
    };
  }
}
