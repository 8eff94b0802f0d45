// One pool in one runtime. Each line of the standard input has it compute items; the answer is how
// many milliseconds that took. In Deno and in Node.
import process from "node:process";
import { createInterface } from "node:readline";
import { POOLS, startThreads } from "./pools.ts";
import spin from "./spin.ts";

/** Items to compute. */
export interface Round {
  readonly turns: number;
  readonly count: number;
}

const [name, workers] = [process.argv[2], Number(process.argv[3])];

/** Every thread computes its share in a loop: no pool can be faster. */
function startIdeal(): (round: Round) => Promise<unknown> {
  const threads = startThreads(workers);
  return ({ turns, count }) =>
    Promise.all(threads.map((thread, i) => {
      const share = Math.floor((count + i) / workers);
      thread.postMessage({ turns, count: share });
      return new Promise((resolve) => thread.once("message", resolve));
    }));
}

async function startPool(): Promise<(round: Round) => Promise<unknown>> {
  const pool = await POOLS.find((one) => one.name === name)!.start(workers);
  return async ({ turns, count }) => {
    const results = await Promise.all(Array.from({ length: count }, () => pool.run(turns)));
    return results.every((result) => result === results[0]) ? results[0] : undefined;
  };
}

const compute = name === "ideal" ? startIdeal() : await startPool();
for await (const line of createInterface({ input: process.stdin })) {
  const round: Round = JSON.parse(line);
  const start = performance.now();
  const result = await compute(round);
  const ms = performance.now() - start;
  if (name !== "ideal" && result !== spin(round.turns)) throw new Error("Its results are wrong");
  console.log(ms);
}
process.exit();
