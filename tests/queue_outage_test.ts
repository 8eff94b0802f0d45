import { assertEquals } from "@std/assert";
import { outageLog } from "../scripts/queue/outage_log.ts";

type Report = Parameters<ReturnType<typeof outageLog>>[0];

function logOf(reports: readonly Report[]): readonly string[] {
  const sentences: string[] = [];
  const note = outageLog({
    log: (sentence) => sentences.push(sentence),
    reason: (error) => (error as Error).message,
  });
  for (const report of reports) note(report);
  return sentences;
}

const failed = (attempt: number, retried = true): Report => ({
  outcome: attempt % 2 ? "failed" : "unknown",
  attempt,
  retried,
  error: new Error(`attempt ${attempt}`),
});
const saved: Report = { outcome: "saved", attempt: 1, retried: false };

Deno.test("outageLog() tells once that the database is waited for, and once that it is back", () => {
  const outage = [1, 2, 3, 4, 5].map((attempt) => failed(attempt));
  const once = ["Waiting for the database: attempt 3", "The database answers again"];
  assertEquals(logOf([saved, ...outage, saved, saved]), once);
  assertEquals(logOf([...outage, saved, ...outage, saved]), [...once, ...once]);
});

Deno.test("outageLog() says nothing of what the next attempt mends, or of what is given up", () => {
  assertEquals(logOf([failed(1), failed(2), saved, failed(1), saved, failed(9, false)]), []);
});
