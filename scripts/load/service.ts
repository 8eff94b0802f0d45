import { ScriptError } from "../cli/run.ts";

/** A service in a process of its own. */
export interface RunningService extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts a service, and waits until it listens.
 *
 * @throws {ScriptError} If it does not.
 */
export async function startService(
  script: string,
  { databaseUrl, args }: { databaseUrl: string; args: readonly string[] },
): Promise<RunningService> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", new URL(script, import.meta.url).href, ...args],
    env: { DATABASE_URL: databaseUrl },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  let url: string | undefined;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    url = /^Listening on (\S+),/m.exec(text)?.[1];
    if (url !== undefined) break;
  }
  if (url === undefined) {
    throw new ScriptError(
      `Cannot start '${script}' as it ended with code ${(await child.status).code}`,
    );
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended, and its exit code tells how.
      }
      const { code } = await child.status;
      if (code !== 0) {
        throw new ScriptError(`Cannot trust this as the service ended with code ${code}`);
      }
    },
  };
}
