import type { Registry } from "./npm_registry.ts";

/** A file of the registry, whose content is known beforehand. */
export interface Tarball {
  /** Where it is, from the registry's address on. */
  readonly path: string;
  /** Its length in bytes. */
  readonly size: number;
  /** Its SHA-512, in base64. */
  readonly sha512: string;
}

/** Options for {@linkcode download}. */
export interface DownloadOptions {
  signal?: AbortSignal;
  /**
   * How long the registry may send nothing at all, in milliseconds.
   *
   * @default {15_000}
   */
  patience?: number;
}

/**
 * Downloads a file, and vouches that it is the one that is meant, whatever the registry says of it.
 *
 * @throws {Error} With a clause that can follow "as".
 */
export async function download(
  { url, headers }: Registry,
  { path, size, sha512 }: Tarball,
  { signal, patience = 15_000 }: DownloadOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const silence = new AbortController();
  const giveUpAt = performance.now() + LONGEST_DOWNLOAD;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), patience);
  };
  const content = new Uint8Array(size);
  let length = 0;
  try {
    listen();
    const response = await fetch(new URL(path, url), {
      headers,
      signal: AbortSignal.any(signal ? [silence.signal, signal] : [silence.signal]),
    });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Refusal(`answers with status ${response.status}`);
    }
    for await (const chunk of response.body) {
      listen();
      if (length + chunk.length > size) throw new Refusal(WRONG_FILE);
      if (performance.now() > giveUpAt) throw new Refusal("is too slow");
      content.set(chunk, length);
      length += chunk.length;
    }
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-512", content));
    if (length < size || hash.toBase64() !== sha512) throw new Refusal(WRONG_FILE);
    return content;
  } catch (error) {
    signal?.throwIfAborted();
    const reason = silence.signal.aborted ? "does not answer" : explain(error);
    throw new Error(`the npm registry at ${url.origin} ${reason}`);
  } finally {
    clearTimeout(timer);
  }
}

const LONGEST_DOWNLOAD = 300_000; // ms; a trickle must not be waited for
const WRONG_FILE = "sends another file than the one that Burst was tested with";

/** What is wrong with a registry that answers. */
class Refusal extends Error {}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return `fails (${error})`;
  if (error instanceof Refusal) return error.message;
  if (error instanceof Deno.errors.NotCapable) return `may not be asked (${error.message})`;
  // Only the end of what `fetch` says is of interest: it starts with the whole address
  const { message } = error.cause instanceof Error ? error.cause : error;
  if (/certificate/i.test(message)) {
    return "has a certificate that Deno does not know (set DENO_TLS_CA_STORE=system if this system knows it, or DENO_CERT to its issuer's file)";
  }
  return `cannot be reached (${message.split(": ").at(-1)})`;
}
