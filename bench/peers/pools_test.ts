import { assertEquals, assertMatch } from "@std/assert";

Deno.test("compare_pools.ts says what it lacks where there is no Node of today", async () => {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("compare_pools.ts", import.meta.url).pathname, "--node", "/none"],
  }).output();
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr),
    /^Cannot measure pools in Node as '\/none' cannot be started: name it with --node\n$/,
  );
});
