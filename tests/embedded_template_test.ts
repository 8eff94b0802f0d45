import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { startServer } from "../scripts/database/server.ts";
import { embeddedTest, sources, withFolder, withSql } from "./fixtures/embedded_helpers.ts";

/** Runs `work` with a function that starts servers and tells how often a cluster was created. */
async function withTemplate(
  work: (
    start: () => ReturnType<typeof startServer>,
    messages: string[],
    cacheDir: string,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const cacheDir = join(folder, "cache");
    const messages: string[] = [];
    const onProgress = (message: string) => {
      if (message.startsWith("Creating")) messages.push(message);
    };
    await work(
      () => startServer({ durable: false, onProgress }, sources, cacheDir),
      messages,
      cacheDir,
    );
  });
}

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

// The longest begins first.
embeddedTest(
  "startServer() replaces a template that is cut off or empty",
  () =>
    withTemplate(async (start, messages, cacheDir) => {
      await (await start()).stop();
      const [template] = await filesIn(cacheDir);
      for (const size of [20_000_000, 0]) {
        messages.length = 0;
        await Deno.truncate(join(cacheDir, template), size);
        for (let i = 0; i < 2; i++) {
          await using server = await start();
          await withSql(server.url, (sql) => sql`select 1`);
        }
        // The one without a template, and the new template
        assertEquals(messages.length, 2);
        assert((await Deno.stat(join(cacheDir, template))).size > 30_000_000);
      }
    }),
);

embeddedTest(
  "startServer() creates one cluster and copies it, each with a password of its own",
  () =>
    withTemplate(async (start, messages) => {
      await using first = await start();
      await using second = await start();
      assertEquals(messages.length, 1);
      await withSql(first.url, (sql) => sql`create table mine ()`);
      const [{ count }] = await withSql(
        second.url,
        (sql) => sql`select count(*)::int from pg_class where relname = 'mine'`,
      );
      assertEquals(count, 0);
      const { password } = new URL(first.url);
      assertNotEquals(password, new URL(second.url).password);
      const url = new URL(second.url);
      url.password = password;
      const error = await assertRejects(() => withSql(url.href, (sql) => sql`select 1`));
      assertEquals((error as { code?: string }).code, "28P01");
      assertEquals((await Deno.stat(second.dataDir)).mode! & 0o777, 0o700);
      assertEquals((await Deno.stat(join(second.dataDir, "PG_VERSION"))).mode! & 0o777, 0o600);
    }),
);

embeddedTest(
  "startServer() creates one template where two programs start at once",
  () =>
    withTemplate(async (start, _, cacheDir) => {
      const [first, second] = await Promise.all([start(), start()]);
      await using _first = first, _second = second;
      for (const { url } of [first, second]) await withSql(url, (sql) => sql`select 1`);
      assertEquals((await filesIn(cacheDir)).length, 1);
    }),
);

embeddedTest(
  "startServer() keeps no template of a start that was given up",
  () =>
    withFolder(async (folder) => {
      const cacheDir = join(folder, "cache");
      const controller = new AbortController();
      const onProgress = (message: string) => {
        if (message.startsWith("Creating")) controller.abort(new Error("enough"));
      };
      const { signal } = controller;
      await assertRejects(
        () => startServer({ signal, onProgress }, sources, cacheDir),
        Error,
        "enough",
      );
      assertEquals(await filesIn(cacheDir), []);
    }),
);

embeddedTest(
  "startServer() needs no folder for a template",
  () =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(join(folder, "cache"), "a file");
      await using server = await startServer({ durable: false }, sources, join(folder, "cache"));
      await withSql(server.url, (sql) => sql`select 1`);
    }),
);

embeddedTest(
  "startServer() gives data that are kept an identifier of their own",
  () =>
    withFolder(async (folder) => {
      const identifiers = new Set<string>();
      // The other one is a copy of the template
      for (const dataDir of [join(folder, "data"), undefined]) {
        await using server = await startServer({ dataDir, durable: false }, sources);
        const [row] = await withSql(
          server.url,
          (sql) => sql`select system_identifier from pg_control_system()`,
        );
        identifiers.add(row.system_identifier);
      }
      assertEquals(identifiers.size, 2);
    }),
);
