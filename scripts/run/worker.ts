import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Makes a thread in which `console.log()` writes to the standard error: on the standard output there is
 * the account, which other programs may read.
 */
export function createWorker(url: URL, options: WorkerOptions): Worker {
  const code = `console.log = console.info = console.debug = console.error;
    await import(${JSON.stringify(url.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
