import { fileURLToPath } from "node:url";
import { ScriptError } from "../../cli/run.ts";
import type { Spec } from "./marks.ts";
import { colourStyle } from "./theme.ts";

const PROGRAM = new URL("./vega.ts", import.meta.url);
const LOCK = new URL("./deno.lock", import.meta.url);

/**
 * Draws figures, in a Deno of its own: the library that does it is downloaded (6 MB) when the first
 * figure is drawn, and not when the benchmark is run without.
 *
 * Whatever stands for a value is `<path class="mark">` with a `<title>`, which browsers show on hover.
 *
 * @returns The figures as SVG elements. Their colours are variables of {@linkcode colourStyle}.
 * @throws {ScriptError} If the library cannot be had.
 */
export async function draw(specs: readonly Spec[], signal?: AbortSignal): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    // No permission is given: drawing is computing.
    args: [
      "run",
      "--quiet",
      "--no-config",
      ...LOCK.protocol === "file:" ? ["--frozen", `--lock=${fileURLToPath(LOCK)}`] : ["--no-lock"],
      "--no-prompt",
      "--node-modules-dir=none",
      PROGRAM.href,
    ],
    env: { NO_COLOR: "1", DENO_NO_PACKAGE_JSON: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal,
  }).spawn();
  const output = child.output();
  // A child that fails does not read what it is given.
  await new Blob([JSON.stringify(specs)]).stream().pipeTo(child.stdin).catch(() => {});
  const { success, stdout, stderr } = await output;
  if (!success) {
    signal?.throwIfAborted();
    const [reason] = new TextDecoder().decode(stderr).trim().split("\n");
    throw new ScriptError(
      `Cannot draw the figures as the library for it does not run: ${
        reason.replace(/^error: (Uncaught \(in promise\) )?/, "")
      }`,
    );
  }
  return (JSON.parse(new TextDecoder().decode(stdout)) as string[]).map(tidy);
}

/** An SVG that stands alone in a file, with its colours. */
export function standalone(svg: string): string {
  const style = `<style>${colourStyle("svg")}svg{background:var(--background)}</style>`;
  return svg.replace(">", `>${style}`);
}

/** What is said of a mark to those who cannot see it, is shown to the others on hover. */
function tidy(svg: string): string {
  return svg
    .replace(
      /<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>/,
      (_, width, height) =>
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    )
    .replace(
      /<(path|line) aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*" ([^>]*)\/>/g,
      `<$1 class="mark" $3><title>$2</title></$1>`,
    )
    .replace(/<path class="(background|foreground)"[^>]*\/>/g, "")
    .replace(/ (role|aria-[a-z]+|pointer-events)="[^"]*"/g, "")
    .replace(/ class="(?!mark")[^"]*"/g, "")
    // A tenth of a pixel is not seen. Times in titles have fewer digits.
    .replace(/\d+\.\d{3,}/g, (number) => String(Math.round(Number(number) * 10) / 10));
}
