import { Worker, type WorkerOptions } from "node:worker_threads";

/** Makes a thread whose standard output is the standard error of the program. */
export function createWorker(url: URL, options: WorkerOptions): Worker {
  const code = `import { divertOutput } from ${JSON.stringify(import.meta.resolve("./output.ts"))};
    divertOutput();
    await import(${JSON.stringify(url.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
