/**
 * The program that `lifeline.ts` runs on Windows, where there is no shell: the same behaviour in
 * the same words, with `pg_ctl` in place of signals. `pg_ctl` also gives up the rights of an
 * administrator, whom PostgreSQL refuses to run as.
 *
 * @module
 */
import { join } from "node:path";
import type { LifelineOptions } from "./lifeline.ts";

const { bin, dataDir, temporary, initdbArgs, postgresArgs }: LifelineOptions = JSON.parse(
  Deno.args[0],
);
const passwordFile = join(dataDir, "burst_password");
const log = join(dataDir, "server.log");

const input = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).getReader();
let password = "";
while (!password.endsWith("\n")) {
  const { done, value } = await input.read();
  if (done) Deno.exit();
  password += value;
}
password = password.trim();
const lifelineCut = (async () => {
  while (!(await input.read()).done);
})();

try {
  await main();
} finally {
  if (temporary) await removeStubbornly(dataDir);
}
Deno.exit();

async function main(): Promise<void> {
  if (await exists(join(dataDir, "PG_VERSION"))) {
    try {
      password = (await Deno.readTextFile(passwordFile)).trim();
    } catch {
      return say("failed password");
    }
  } else {
    say("initdb");
    const file = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(file, password);
      if (!await run("initdb", "-D", dataDir, `--pwfile=${file}`, ...initdbArgs)) {
        return say("failed initdb");
      }
    } finally {
      await Deno.remove(file);
    }
    await Deno.writeTextFile(passwordFile, password);
  }
  const started = await run(
    ...["pg_ctl", "start", "--wait", "-D", dataDir, "-l", log, "-o", postgresArgs.join(" ")],
  );
  if (!started) {
    say("failed postgres");
    console.log((await Deno.readTextFile(log).catch(() => "")).slice(-8000));
    return;
  }
  const [pid] = (await Deno.readTextFile(join(dataDir, "postmaster.pid"))).split("\n");
  say(`password ${password}`);
  say(`server ${pid.trim()}`);
  await lifelineCut;
  await run("pg_ctl", "stop", "--wait", "-D", dataDir, "-m", temporary ? "immediate" : "fast");
}

/** Runs a program to its end, or to the lifeline's. */
async function run(program: string, ...args: string[]): Promise<boolean> {
  const child = new Deno.Command(join(bin, program), {
    args,
    stdin: "null",
    // A server that pg_ctl starts would inherit a pipe and hold it open
    stdout: program === "initdb" ? "inherit" : "null",
    stderr: "null",
  }).spawn();
  if (program === "initdb") lifelineCut.then(() => child.kill()).catch(() => {});
  return (await child.status).success;
}

function say(line: string): void {
  console.log(`burst: ${line}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Windows keeps a file for a while after its last user has ended. */
async function removeStubbornly(folder: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
