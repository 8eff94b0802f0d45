import { ScriptError } from "./run.ts";
import { unlessAborted } from "./unless_aborted.ts";

/** Most milliseconds until packages are there: from the cache it takes a second. */
const PATIENCE = 15_000;

/**
 * Loads packages. Deno waits for minutes where a registry says nothing, and reports failures in lines
 * of its own.
 *
 * @param what The beginning of the sentence where they do not come: "Cannot … as its packages".
 * @throws {ScriptError} If they do not come.
 */
export async function loadPackages<T>(
  what: string,
  load: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const timeout = new AbortController();
  const late = () =>
    new ScriptError(`${what} did not come within ${PATIENCE / 1_000} s: ${ADVICE}`);
  const timer = setTimeout(() => timeout.abort(late()), PATIENCE);
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    return await unlessAborted(load(either), either);
  } catch (error) {
    either.throwIfAborted();
    const why = whyMissing(error);
    throw why === undefined ? error : new ScriptError(`${what} ${why}`);
  } finally {
    clearTimeout(timer);
  }
}

const ADVICE =
  "check the network and NPM_CONFIG_REGISTRY, behind a company's certificate set DENO_TLS_CA_STORE=system, and run it again";

/** What Deno says where a package, or a module from JSR, could not be had. */
const MISSING = /\bpackage ['"]|Import '(https?|npm):.*' failed/;

/** Why packages are missing. Not in the words of the error: its addresses may have a password. */
function whyMissing(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : "";
  if (!MISSING.test(text)) return undefined;
  return /certificate|UnknownIssuer/.test(text)
    ? "come with a certificate that Deno does not know: set DENO_TLS_CA_STORE=system if this system knows it, or DENO_CERT to its issuer's file, and run it again"
    : `cannot be downloaded: ${ADVICE}`;
}
