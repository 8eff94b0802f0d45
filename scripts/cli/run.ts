/** A script was called in a way that cannot work: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A script cannot do what it was asked to, for a reason outside of it: exit code 1. */
export class ScriptError extends Error {
  override name = "ScriptError";
}

/** How the programs were called: what their help says for `deno run -A scripts/NAME.ts`. */
export const called: { as?: string } = {};

/** The user has pressed Ctrl-C, or the program was asked to stop: exit code 128 + the signal's number. */
class Stopped extends Error {
  constructor(readonly exitCode: number) {
    super("Stopped");
  }
}

const SIGNALS = Deno.build.os === "windows"
  ? [["SIGINT", 130]] as const
  : [["SIGINT", 130], ["SIGTERM", 143]] as const;

/** Options of {@linkcode runScript}. */
export interface RunOptions {
  /** Whether the script goes on until it is stopped, so that being stopped is no failure: exit code 0. */
  readonly service?: boolean;
}

/** Milliseconds that a script which is done may take to end. */
const LAST_TURNS = 1_000;

/** Milliseconds that one which is no service may take after the signal, whatever keeps it waiting. */
const STOP_WITHIN = 20_000;

/**
 * Runs a script as {@linkcode runToEnd} does, and ends the program after it: a socket whose other end is
 * frozen, or a read from a pipe that nobody writes to, would keep it alive.
 */
export async function runScript(
  main: (signal: AbortSignal) => Promise<void>,
  options?: RunOptions,
): Promise<void> {
  await runToEnd(main, options);
  Deno.unrefTimer(setTimeout(() => Deno.exit(), LAST_TURNS));
}

/**
 * Runs a script: turns its errors into one sentence and an exit code, and the first Ctrl-C into an
 * aborted signal, so that it can end properly. The second Ctrl-C ends it at once.
 *
 * @param main The script. What it throws after the signal is aborted is not shown, unless it is a
 *   service.
 */
export async function runToEnd(
  main: (signal: AbortSignal) => Promise<void>,
  { service = false }: RunOptions = {},
): Promise<void> {
  const controller = new AbortController();
  const listeners = SIGNALS.map(([name, exitCode]) => {
    const listener = () => {
      if (controller.signal.aborted) Deno.exit(exitCode);
      controller.abort(new Stopped(exitCode));
      if (!service) Deno.unrefTimer(setTimeout(() => giveUp(exitCode), STOP_WITHIN));
    };
    Deno.addSignalListener(name, listener);
    return [name, listener] as const;
  });
  try {
    await main(controller.signal);
  } catch (error) {
    const { aborted, reason } = controller.signal;
    if (!aborted || (service && error !== reason)) complain(error);
  } finally {
    for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    const { aborted, reason } = controller.signal;
    if (aborted && !service && reason instanceof Stopped) Deno.exitCode = reason.exitCode;
  }
}

function giveUp(exitCode: number): never {
  console.error(
    `Cannot end properly within ${STOP_WITHIN / 1_000} s: what was in progress may be done or not`,
  );
  Deno.exit(exitCode);
}

function complain(error: unknown): void {
  const permission = missingPermission(error);
  Deno.exitCode = error instanceof UsageError || permission !== undefined ? 2 : 1;
  if (permission !== undefined) {
    console.error(
      `Cannot run this without ${permission}: add it to 'deno run', or allow everything with -A (see --help)`,
    );
  } else if (error instanceof UsageError || error instanceof ScriptError) {
    console.error(error.message);
  } else if (isFileCode(Object(error).code)) {
    console.error(
      `Cannot go on as a file could not be written or opened: ${Object(error).message}`,
    );
  } else console.error("This is a bug in Burst, please report it:", error);
}

/** Whether the code of an error is that of a file: of a full disk, say. */
export function isFileCode(code: unknown): boolean {
  return typeof code === "string" && /^E(NOSPC|DQUOT|IO|ROFS|MFILE|NFILE)$/.test(code);
}

/** The permission that Deno asks for, in an error or in what has caused it. */
export function missingPermission(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // Node's look-up of a host says it in its own way.
  if (/getaddrinfo EPERM/.test(error.message)) return "--allow-net";
  const [, flag] = /run again with the (--allow-\w+) flag/.exec(error.message) ?? [];
  return flag ?? missingPermission(error.cause);
}
