import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needing } from "./_needs.ts";
import { waitingTest } from "./_waiting.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";
import { serveRegistry, silentRegistry } from "./fixtures/embedded_registry.ts";

const SCRIPTS = fileURLToPath(import.meta.resolve("../scripts/"));

/**
 * What a command says where this is the registry of npm, and nothing is in the cache. Deno may still
 * say what it downloads, until it ends.
 */
async function lastWords(registry: URL, ...args: string[]): Promise<[code: number, said: string]> {
  let result: [number, string];
  await withFolder(async (folder) => {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      env: { NO_COLOR: "1", DENO_DIR: folder, NPM_CONFIG_REGISTRY: registry.href },
    }).output();
    const lines = new TextDecoder().decode(stderr).trimEnd().split("\n");
    result = [code, lines.filter((line) => !line.startsWith("Download ")).join("\n")];
  });
  return result!;
}

const STATUS = ["run", "-A", "--no-lock", join(SCRIPTS, "status.ts"), "--nats", "nats://127.0.0.1"];

const ADVICE =
  "check the network and NPM_CONFIG_REGISTRY, behind a company's certificate set DENO_TLS_CA_STORE=system, and run it again";

waitingTest({
  ...needing("status.ts says what to do where the registry is silent"),
  async fn() {
    await using registry = silentRegistry();
    assertEquals(await lastWords(registry.url, ...STATUS), [
      1,
      `Cannot start 'status' as its packages did not come within 15 s: ${ADVICE}`,
    ]);
  },
});

waitingTest({
  ...needing("prepareOutputs() says what to do where the registry is silent"),
  async fn() {
    await using registry = silentRegistry();
    const code = `
      import { runScript } from "${import.meta.resolve("../scripts/cli/run.ts")}";
      import { prepareOutputs } from "${import.meta.resolve("../scripts/bench/page/files.ts")}";
      const to = { report: undefined, svg: Deno.env.get("DENO_DIR") };
      await runScript((signal) => prepareOutputs(to, { signal, onProgress() {} }));
    `;
    assertEquals(await lastWords(registry.url, "eval", "--no-lock", code), [
      1,
      `Cannot draw the figures as the packages for it did not come within 15 s: ${ADVICE}`,
    ]);
  },
});

waitingTest({
  ...needing("status.ts says what to do where the registry refuses, or is none"),
  async fn() {
    const answers = [
      new Response("no", { status: 403 }),
      new Response("no", { status: 500 }),
      new Response("<p>Log in to this network", { headers: { "content-type": "text/html" } }),
    ];
    for (const answer of answers) {
      await using registry = serveRegistry(() => answer.clone());
      assertEquals(await lastWords(registry.url, ...STATUS), [
        1,
        `Cannot start 'status' as its packages cannot be downloaded: ${ADVICE}`,
      ]);
    }
  },
});

waitingTest({
  ...needing("status.ts says what to do about a company's certificate"),
  async fn() {
    const [cert, key] = await Promise.all(
      ["crt", "key"].map((end) =>
        Deno.readTextFile(new URL(`./fixtures/embedded_registry.${end}`, import.meta.url))
      ),
    );
    await using registry = serveRegistry(() => new Response(), { cert, key });
    assertEquals(await lastWords(registry.url, ...STATUS), [
      1,
      "Cannot start 'status' as its packages come with a certificate that Deno does not know: set DENO_TLS_CA_STORE=system if this system knows it, or DENO_CERT to its issuer's file, and run it again",
    ]);
  },
});

waitingTest({
  ...needing("hash.ts needs no network once it has run"),
  fn: () =>
    withFolder(async (folder) => {
      const users = join(folder, "users.csv");
      await Deno.writeTextFile(users, "id,password\n1,swordfish\n");
      const run = async (...flags: string[]) => {
        const { code, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", ...flags, join(SCRIPTS, "hash.ts"), users, "--cost=4", "--dry-run"],
        }).output();
        assertEquals(code, 0, new TextDecoder().decode(stderr));
      };
      await run();
      await run("--cached-only");
    }),
});
