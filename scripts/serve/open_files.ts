/** Part of the free file descriptors that connections may take: the database and files need some. */
const SHARE = 2;

/**
 * How many connections a server may have of those it wants: not more than there are file descriptors
 * for. To find out it opens a file of its own as often as that, which takes a few milliseconds, and
 * needs no permission that it does not have.
 */
export function affordable(wanted: number): number {
  const files: Disposable[] = [];
  try {
    while (files.length < SHARE * wanted) files.push(Deno.openSync(new URL(import.meta.url)));
    return wanted;
  } catch (error) {
    if (!isExhausted(error)) return wanted;
    return Math.max(1, Math.floor(files.length / SHARE));
  } finally {
    for (const file of files) file[Symbol.dispose]();
  }
}

function isExhausted(error: unknown): boolean {
  return ["EMFILE", "ENFILE"].includes((error as { code?: string }).code ?? "");
}
