/**
 * Rejects where the code of a worker may not be read. `new Worker()` would print an error of its own
 * then, which nobody can catch.
 */
export async function checkWorker(url: URL): Promise<void> {
  if (url.protocol === "file:") await Deno.stat(url);
}

/** Why a file could not be read, as the end of a sentence: "… as there is no such file". */
export function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "it may not be read by this user";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
