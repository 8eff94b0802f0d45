import { assertEquals } from "@std/assert";
import { needing } from "./_needs.ts";
import { Browser, CHROMIUM } from "./fixtures/browser.ts";

const ignore = Deno.permissions.querySync({ name: "run" }).state !== "granted" ||
  Deno.permissions.querySync({ name: "read" }).state !== "granted";

async function run(program: string): Promise<{ code: number; stdout: string }> {
  const imports = `import { AsyncBatcher } from ${
    JSON.stringify(new URL("../batcher.ts", import.meta.url).href)
  };`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `${imports}\n${program}`],
    stderr: "inherit",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test({
  name: "AsyncBatcher does not keep the process alive when it is idle",
  ignore,
  async fn() {
    const { code, stdout } = await run(`
      const batcher = new AsyncBatcher(() => Promise.resolve(), { linger: 5 });
      await batcher.add(1);
      console.log("saved");
    `);
    assertEquals([code, stdout], [0, "saved\n"]);
  },
});

Deno.test({
  name: "AsyncBatcher does not let the process exit with items that are queued",
  ignore,
  async fn() {
    for (const options of ["{}", "{ linger: 50 }", "{ maxInFlight: 1, maxItems: 1 }"]) {
      const { code, stdout } = await run(`
        const batcher = new AsyncBatcher(async (items) => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          console.log(items.join());
        }, ${options});
        batcher.push(1);
        batcher.push(2);
      `);
      assertEquals([code, stdout.replace("\n", ",").trim().replace(/,$/, "")], [0, "1,2"]);
    }
  },
});

/** A module with all that it imports, for a browser. */
async function bundle(url: URL): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--platform=browser", url.href],
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test({
  ...needing("AsyncBatcher runs in a browser, and waits for no timer between turns", CHROMIUM),
  async fn() {
    const code = await bundle(new URL("../batcher.ts", import.meta.url));
    assertEquals(code.match(/\bnode:|\bnpm:/g), null);
    await using browser = await Browser.start();
    await browser.open("<!doctype html><title>AsyncBatcher</title>");
    const seen = await browser.evaluate(`(async () => {
      const source = new Blob([${JSON.stringify(code)}], { type: "text/javascript" });
      const { AsyncBatcher } = await import(URL.createObjectURL(source));
      let timers = 0;
      const { setTimeout } = globalThis;
      globalThis.setTimeout = (...all) => {
        if (!(all[1] > 4)) timers++; // a time-out for a batch is fine
        return setTimeout(...all);
      };
      const batcher = new AsyncBatcher(async (items) => items.map((n) => 2 * n));
      let sum = 0;
      for (let i = 0; i < 20; i++) sum += await batcher.add(i);
      for (let i = 0; i < 1000; i++) await batcher.push(i);
      return [sum, (await batcher.close()).saved, timers];
    })()`);
    assertEquals([seen, browser.console], [[380, 1020, 0], []]);
  },
});
