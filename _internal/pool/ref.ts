/** Of the workers of runtimes that let a worker not keep the process alive. */
interface Referable {
  ref?: () => void;
  unref?: () => void;
}

/**
 * Says whether a worker keeps the process alive.
 *
 * Bun's workers have `ref()` and `unref()`. Those of Deno 2.9 have one method for both, which counts,
 * under a symbol that is not exported and has no description: it is used only if there is exactly one
 * such method. A worker of any other runtime keeps the process alive until the pool is closed.
 */
export function keepAlive(worker: Worker, alive: boolean): void {
  const { ref, unref } = worker as Referable;
  if (ref !== undefined && unref !== undefined) (alive ? ref : unref).call(worker);
  else if (DENO_REF !== undefined && worker instanceof Worker) DENO_REF.call(worker, alive);
}

const DENO_REF = denoRef();

function denoRef(): ((alive: boolean) => void) | undefined {
  if (!("Deno" in globalThis && "Worker" in globalThis)) return undefined;
  const prototype = Worker.prototype as unknown as Record<symbol, unknown>;
  const methods = Object.getOwnPropertySymbols(prototype)
    .filter((symbol) => symbol.description === undefined)
    .map((symbol) => prototype[symbol]);
  if (methods.length !== 1 || typeof methods[0] !== "function") return undefined;
  return methods[0] as (alive: boolean) => void;
}
