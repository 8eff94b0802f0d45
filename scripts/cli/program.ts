import { called, runScript, ScriptError } from "./run.ts";

/** The programs, and what each does. */
export const PROGRAMS = {
  bench: "measures what concurrency gains on your database",
  run: "runs your function over a file, on every core, into a table",
  hash: "hashes a file of users into a table",
  serve: "serves sign-ups, and stays responsive while it hashes",
  enqueue: "publishes the users of a file as jobs on NATS JetStream",
  worker: "does such jobs, on as many machines as you like",
  status: "shows how many jobs are waiting, in progress, done and dead",
} as const;

/** The name of a program. */
export type ProgramName = keyof typeof PROGRAMS;

/** Those that go on until they are stopped. */
const SERVICES: readonly ProgramName[] = ["serve", "worker"];

/** Most milliseconds until a program and its packages are there: from the cache it takes a second. */
const PATIENCE = 15_000;

interface Program {
  main(signal: AbortSignal, args: string[]): Promise<void>;
}

/** Loads a program and runs it to its end. */
export async function runProgram(name: ProgramName, args: string[]): Promise<void> {
  called.as = "burst $1";
  await runScript(async (signal) => {
    const { main } = await load(name);
    await main(signal, args);
  }, { service: SERVICES.includes(name) });
}

/**
 * What Deno can read beforehand it downloads before any code of ours runs, and where a registry says
 * nothing it waits for minutes. So the specifier is computed, and there is somebody to speak.
 */
async function load(name: ProgramName): Promise<Program> {
  const url = new URL(`../${name}.ts`, import.meta.url).href;
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(cannotLoad(name, `did not come within ${PATIENCE / 1_000} s`)),
    PATIENCE,
  );
  try {
    return await Promise.race([import(url), timeout.promise]);
  } catch (error) {
    if (error instanceof ScriptError) throw error;
    const why = whyMissing(error);
    throw why === undefined ? error : cannotLoad(name, why);
  } finally {
    clearTimeout(timer);
  }
}

/** Why packages are missing. Not in the words of the error: its addresses may have a password. */
function whyMissing(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : "";
  if (/certificate|UnknownIssuer/i.test(text)) return "come with a certificate that nobody knows";
  if (/error sending request|client error \(|Import '(https?|npm):.*' failed/i.test(text)) {
    return "cannot be downloaded";
  }
  return /npm package|registry|tarball/i.test(text) ? "cannot be downloaded" : undefined;
}

function cannotLoad(name: ProgramName, why: string): ScriptError {
  return new ScriptError(
    `Cannot start '${name}' as its packages ${why}: check the network and NPM_CONFIG_REGISTRY, behind a company's certificate set DENO_TLS_CA_STORE=system, and run it again`,
  );
}
