import { assertStrictEquals } from "@std/assert";
import { join } from "node:path";
import { serverAccount } from "../scripts/database/account.ts";
import { Lifeline } from "../scripts/database/lifeline.ts";
import { SUPERVISOR } from "../scripts/database/supervisor.ts";
import { embeddedTest, isAlive, withScript } from "./fixtures/embedded_helpers.ts";

embeddedTest(
  "Lifeline.end() may come while the server ends by itself",
  () =>
    withScript("exit 1", async (bin, dataDir) => {
      const account = await serverAccount(dataDir);
      const server = { bin, dataDir, account, initdbArgs: [], postgresArgs: [] };
      for (let i = 0; i < 20; i++) {
        const lifeline = new Lifeline({
          ...server,
          temporary: false,
          user: "none",
          password: "none",
        });
        const ends: Promise<void>[] = [];
        while (!lifeline.hasEnded) {
          if (lifeline.reports.has("server")) ends.push(lifeline.end());
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        await Promise.all([...ends, lifeline.end()]);
      }
    }),
);

embeddedTest(
  "SUPERVISOR leaves nobody behind where a stop comes while it sees to its lifeline",
  () =>
    withScript("kill -s KILL $$", async (bin, data) => {
      // Whoever is left would end the next server of the data
      const next = new Deno.Command("sleep", { args: ["1000"] }).spawn();
      await Deno.writeTextFile(join(data, "postmaster.pid"), `${next.pid}\n`);
      const stopAtOnce = `kill() {
          command kill "$@" || return
          [ -n "$child" ] && [ -z "$met" ] && [ "$*" = "-s 0 $lifeline" ] || return 0
          met=1
          command kill -s USR1 $$
        }`;
      const shell = new Deno.Command("sh", {
        args: ["-c", stopAtOnce + SUPERVISOR],
        env: { bin, data, temporary: "", template: "", archive: "" },
        stdin: "piped",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const stdin = shell.stdin.getWriter();
      await stdin.write(new TextEncoder().encode("none\n"));
      await shell.status;
      await stdin.close().catch(() => {});
      // It ends when all of its processes have.
      await shell.stderr.pipeTo(new WritableStream());
      if (isAlive(next.pid)) next.kill("SIGTERM");
      assertStrictEquals((await next.status).signal, "SIGTERM");
    }),
);
