import { connect, DATABASE, databaseUrl } from "./_database.ts";
import { needing } from "./_needs.ts";
import { type Output, withoutProgress } from "./fixtures/hash_run.ts";
import { onOneWorker, runHere } from "./fixtures/script_here.ts";

const SCRIPT = new URL("../scripts/bench.ts", import.meta.url).pathname;

/** Starts `scripts/bench.ts`. */
export function start(args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", SCRIPT, ...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

export async function output(child: Deno.ChildProcess): Promise<Output> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: withoutProgress(decoder.decode(stderr)) };
}

/** Runs it in this process, which is many times as fast as a process of its own. */
export function bench(...args: string[]): Promise<Output> {
  return runHere("bench.ts", onOneWorker(args));
}

/** Runs it on the database of the tests. */
export function onDatabase(...args: string[]): Promise<Output> {
  return bench("--database-url", databaseUrl(), ...args);
}

export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ ...needing(`bench.ts ${name}`, DATABASE), fn });
}

/** Opened outside any test, as it stays open. */
const admin = DATABASE.met ? await connect({ max: 1 }) : undefined;

/** The benchmark's tables that are there. */
export async function tables(): Promise<string[]> {
  const rows = await admin!`select tablename from pg_tables where tablename like 'burst_bench_%'`;
  return rows.map(({ tablename }) => tablename);
}

export async function withFile(
  text: string | Uint8Array,
  fn: (path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
    await fn(path);
  } finally {
    await Deno.remove(path);
  }
}
