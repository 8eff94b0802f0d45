import { dirname, join } from "node:path";
import { loadPackages } from "../../cli/packages.ts";
import { ScriptError, UsageError } from "../../cli/run.ts";
import { draw, standalone } from "../figures/draw.ts";
import type { Figure } from "../figures/figures.ts";

/** Where the page and the figures go. */
export interface Outputs {
  readonly report: string | undefined;
  readonly svg: string | undefined;
}

/**
 * Makes sure that the page and the figures can be made, before time is spent on measuring.
 *
 * @throws {UsageError} If the page's name is not that of one.
 * @throws {ScriptError} If a folder is missing or cannot be written to, or the library that draws
 *   cannot be had.
 */
export async function prepareOutputs(
  { report, svg }: Outputs,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (message: string) => void },
): Promise<void> {
  if (report === undefined && svg === undefined) return;
  if (report !== undefined) {
    if (!/\.html?$/i.test(report)) {
      throw new UsageError(`Cannot run this as --report must end in .html, not be '${report}'`);
    }
    await attempt(`Cannot write the report to '${report}'`, async () => {
      if (!(await Deno.stat(dirname(report))).isDirectory) throw new Deno.errors.NotADirectory();
      // An older page stays as it is until there is a new one, and none is left where there was none.
      const existed = await Deno.lstat(report).then(() => true, () => false);
      (await Deno.open(report, { create: true, append: true })).close();
      if (!existed) await Deno.remove(report);
    });
  }
  if (svg !== undefined) {
    await attempt(
      `Cannot write the figures to '${svg}'`,
      () => Deno.mkdir(svg, { recursive: true }),
    );
  }
  onProgress("Loading the library that draws the figures");
  const what = "Cannot draw the figures as the packages for it";
  await loadPackages(what, (signal) => draw([], signal), signal);
}

/** Writes the page. */
export async function writeReport(path: string, html: string): Promise<void> {
  await attempt(`Cannot write the report to '${path}'`, () => Deno.writeTextFile(path, html));
}

/** Writes the figures to a folder, one file each. */
export async function writeFigures(folder: string, figures: readonly Figure[]): Promise<void> {
  await attempt(`Cannot write the figures to '${folder}'`, async () => {
    for (const { name, wide } of figures) {
      await Deno.writeTextFile(join(folder, `${name}.svg`), standalone(wide));
    }
  });
}

async function attempt(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    throw new ScriptError(`${what} as ${why(error)}`);
  }
}

function why(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such folder";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not write there";
  if (error instanceof Deno.errors.NotADirectory) return "a file is in its way";
  if (error instanceof Deno.errors.AlreadyExists) return "a file is in its way";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
