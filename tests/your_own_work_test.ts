import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ACCOUNT, needing } from "./_needs.ts";
import { withFolder } from "./fixtures/embedded_helpers.ts";

const ROOT = fileURLToPath(import.meta.resolve("../"));

/** What a block of the page with nothing but its language is to be saved as. */
const FILES: Readonly<Record<string, string>> = { csv: "numbers.csv", json: "deno.json" };

/** Runs a command as its reader does, and returns the lines of what it says. */
async function linesOf(command: string, cwd: string): Promise<string[]> {
  const [program, ...args] = command.trim().split(" ");
  assertEquals(program, "deno");
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1", DATABASE_URL: "" },
  }).output();
  const decoder = new TextDecoder();
  return (decoder.decode(stdout) + decoder.decode(stderr)).split("\n");
}

Deno.test({
  ...needing("docs/your-own-work.md leads from an empty folder to a table, word for word", ACCOUNT),
  fn: () =>
    withFolder(async (parent) => {
      await Deno.symlink(ROOT, join(parent, "burst"), { type: "junction" });
      const folder = join(parent, "own");
      await Deno.mkdir(folder);
      // As root, the server runs as a user who must get to its data.
      await Deno.chmod(folder, 0o755);
      const page = await Deno.readTextFile(join(ROOT, "docs/your-own-work.md"));
      const blocks = [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)];
      let command = "";
      let said: string[] = [];
      for (const [, language, content] of blocks) {
        if (language === "sh") said = await linesOf(command = content, folder);
        else if (language === "") {
          const missing = content.trimEnd().split("\n").filter((line) => !said.includes(line));
          assertEquals(missing, [], `${command}${said.join("\n")}`);
        } else {
          const name = FILES[language] ?? /^\/\/ (\w+\.ts)\n/.exec(content)![1];
          await Deno.writeTextFile(join(folder, name), content);
        }
      }
      assertEquals(blocks.filter(([, language]) => language === "sh").length, 4);
      const again = /it says `(.*)`/.exec(page.replaceAll(/\s+/g, " "))![1];
      said = await linesOf("deno run -A main.ts", folder); // jsr_test.ts checks its types
      assert(said.includes(again), said.join("\n"));
    }),
});
