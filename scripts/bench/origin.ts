import { fileURLToPath } from "node:url";
import { called } from "../cli/run.ts";
import type { RunOrigin } from "./report.ts";

const ROOT = new URL("../../", import.meta.url);
/** What needs no quotes in a shell. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** Where the figures of a run that starts now come from. */
export async function originOf(args: readonly string[]): Promise<RunOrigin> {
  return {
    command: commandOf(args),
    commit: await readCommit(),
    startedAt: new Date().toISOString(),
  };
}

/** The command line, without the address of a database, which may have a password in it. */
export function commandOf(args: readonly string[]): string {
  const shown = args.map((arg, i) => {
    if (args[i - 1] === "--database-url") return "URL";
    return arg.replace(/^--database-url=.*/s, "--database-url=URL");
  });
  const quoted = shown.map((arg) => PLAIN.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`);
  const program = called.as === undefined ? "deno run -A scripts/bench.ts" : "burst bench";
  return [program, ...quoted].join(" ");
}

/** Asks Git, if this is a clone of Burst, there is a Git, and it may be run without asking. */
async function readCommit(): Promise<string | null> {
  if (ROOT.protocol !== "file:") return null;
  const { state } = await Deno.permissions.query({ name: "run", command: "git" });
  if (state !== "granted") return null;
  const git = async (...args: string[]) => {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", fileURLToPath(ROOT), ...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  };
  try {
    // A copy of Burst without its history may lie in a clone of something else.
    if (await git("rev-parse", "--show-prefix") !== "") return null;
    return await git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*");
  } catch {
    return null;
  }
}
