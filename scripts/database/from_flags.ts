import { Progress } from "../cli/progress.ts";
import { type Database, openDatabase } from "./connect.ts";

/** The database that the flags name, or a server of its own, whose start the terminal shows. */
export async function databaseFromFlags(
  flags: { readonly "database-url"?: string; readonly "data-dir"?: string },
  signal: AbortSignal,
): Promise<Database> {
  using progress = new Progress();
  return await openDatabase({
    url: flags["database-url"],
    dataDir: flags["data-dir"],
    onProgress: (message) => progress.say(message),
    signal,
  });
}
