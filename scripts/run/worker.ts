import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Makes a thread whose standard output is the standard error: on that of the program there is the
 * account, which other programs may read.
 */
export function createWorker(url: URL, options: WorkerOptions): Worker {
  const code = `import { Console } from "node:console";
    import process from "node:process";
    globalThis.console = new Console(process.stderr);
    process.stdout.write = process.stderr.write.bind(process.stderr);
    Object.defineProperty(Deno, "stdout", { value: Deno.stderr });
    await import(${JSON.stringify(url.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`), options);
}
