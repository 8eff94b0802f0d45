import { type PipelineAccount, PipelineError } from "../../pipeline.ts";
import { alignColumns } from "./columns.ts";
import { grouped } from "./numbers.ts";

/** What is left out where there are none. */
const UNUSUAL = ["unknown", "unfinished"];

/** An account for people: how many rows ended in each way, notes on those there are, a sentence. */
export function accountText(
  counts: readonly (readonly [name: string, count: number, note?: string])[],
  summary: string,
): string {
  const rows = counts.filter(([name, count]) => count > 0 || !UNUSUAL.includes(name))
    .map(([name, count, note = ""]) => [
      name.padEnd(10),
      grouped(count),
      count > 0 ? note : "",
    ]);
  return [...alignColumns(rows, [0, 2]), "", summary].join("\n");
}

/** What a pipeline ends with, whether it could do all of its work or not. */
export async function settled(
  running: Promise<PipelineAccount>,
): Promise<{ readonly account: PipelineAccount; readonly failure?: PipelineError }> {
  try {
    return { account: await running };
  } catch (error) {
    if (error instanceof PipelineError) return { account: error.account, failure: error };
    throw error;
  }
}
