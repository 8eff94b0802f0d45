// Runs the tests of some modules in Node or Bun, and prints what became of each as a line of JSON.
import process from "node:process";
import { afterwards, OnlyDeno, tests } from "./not_deno.js";

const TIMEOUT = 60_000;

const context = {
  async step(...args) {
    const [last] = args.slice(-1);
    await (typeof last === "function" ? last(context) : last.fn(context));
    return true;
  },
};

/** Whatever nobody catches belongs to the test that runs. */
let stray;
process.on("unhandledRejection", (error) => stray ??= { error });
process.on("uncaughtException", (error) => stray ??= { error });

for (const file of process.argv.slice(2)) {
  tests.length = 0;
  await import(`../${file}`).catch((error) => {
    console.error(error);
    process.exit(1);
  });
  for (const { name, fn, ignore } of [...tests]) {
    let timer;
    stray = undefined;
    const timedOut = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${TIMEOUT} ms`)), TIMEOUT);
    });
    const { outcome, error } = ignore ? { outcome: "ignored" } : await Promise.race([
      (async () => await fn(context))(),
      timedOut,
    ]).then(
      () => stray === undefined ? { outcome: "ok" } : { outcome: "failed", error: stray.error },
      (error) => ({ outcome: error instanceof OnlyDeno ? "deno" : "failed", error }),
    );
    clearTimeout(timer);
    const why = error && String(error?.stack ?? error);
    process.stdout.write(`${JSON.stringify({ file, name, outcome, why })}\n`);
  }
  for (const fn of afterwards.splice(0)) await fn();
}
process.exit(0);
