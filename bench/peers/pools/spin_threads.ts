import { parentPort } from "node:worker_threads";
import spin from "./spin.ts";

// One item, or its share of many at once, which is the ideal.
parentPort!.on("message", ({ turns, count }: { turns: number; count: number }) => {
  let result = 0;
  for (let i = 0; i < count; i++) result = spin(turns);
  parentPort!.postMessage(result);
});
