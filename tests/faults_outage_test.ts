// The runs of tests/fixtures/outage.ts in a size that takes seconds.
import { assert, assertEquals } from "@std/assert";
import { ACCOUNT, needing, UNIX } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { killAndCut, saveThrough, takeDown, whileDown } from "./fixtures/outage.ts";

waitingTest({
  ...needing(
    "AsyncBatcher saves all rows with a key once where the server is killed again and again",
    ACCOUNT,
    UNIX,
  ),
  async fn() {
    const task = { rows: 1_500, hasKey: true, pace: 5 };
    const { saved } = await saveThrough({ ...task, disturb: killAndCut(2) });
    assertEquals(saved, 1_500);
  },
});

waitingTest({
  ...needing(
    "AsyncBatcher knows what it saved without a key where the server is killed again and again",
    ACCOUNT,
    UNIX,
  ),
  async fn() {
    const task = { rows: 1_500, hasKey: false, pace: 5 };
    const { saved, unknown, failed, unsent } = await saveThrough({
      ...task,
      disturb: killAndCut(2),
    });
    assertEquals(saved + unknown.length, 1_500);
    assertEquals([failed, unsent], [[], []]);
    assert(unknown.length > 0 && saved > 0, `${unknown.length} unknown, ${saved} saved`);
  },
});

waitingTest({
  ...needing(
    "AsyncBatcher has producers stand still while the server is down, and saves all then",
    ACCOUNT,
    UNIX,
  ),
  async fn() {
    const down = { from: 0, to: 0 };
    // More than come while the server is killed, however long that takes on a busy machine
    const rows = 3_000;
    const result = await saveThrough({
      rows,
      hasKey: true,
      pace: 10,
      disturb: takeDown(2_000, down),
    });
    assertEquals(result.saved, rows);
    const { samples, taken: [first, last], lastDesiredSize } = whileDown(result, down);
    assert(samples > 0);
    // What the queue holds, and four batches of 50
    assert(last! - first! <= 400, `${last! - first!} rows were taken`);
    assert(lastDesiredSize! <= 0, `${lastDesiredSize}`);
  },
});
