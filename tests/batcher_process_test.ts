import { assertEquals } from "@std/assert";

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
