import { allowed } from "./_permissions.ts";

const ROOT = new URL("../", import.meta.url);

/** The pages that people read, by their paths, without what is not read or not ours. */
export const pages = new Map<string, string>();
if (allowed) {
  const names = [...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`);
  const others = ["README", "SECURITY", "CONTRIBUTING", "CHANGELOG", "examples/README"]
    .map((name) => `${name}.md`);
  for (const path of [...others, ...names.filter((name) => name.endsWith(".md")).sort()]) {
    pages.set(path, await Deno.readTextFile(new URL(path, ROOT)));
  }
}

/** A program that a page shows. */
export interface Snippet {
  readonly page: string;
  /** The file it is shown as, where its first line is a comment with nothing but a name. */
  readonly file: string | undefined;
  readonly code: string;
}

export function snippets(): Snippet[] {
  return [...pages].flatMap(([page, text]) =>
    [...text.matchAll(/^```(?:ts|js)\b[^\n]*\n([\s\S]*?)^```/gm)].map(([, code]) => ({
      page,
      file: /^\/\/ ([\w.]+\.[jt]s)\n/.exec(code)?.[1],
      code,
    }))
  );
}

/** What it says that it prints: the comments at its end, or behind its calls of `console.log()`. */
export function announced(code: string): string[] {
  const lines = code.trimEnd().split("\n");
  const end = lines.slice(lines.findLastIndex((line) => !line.startsWith("// ")) + 1);
  if (end.length > 0) return end.map((line) => line.slice(3));
  return [...code.matchAll(/console\.log\(.*\);? \/\/ (.*)$/gm)].map(([, output]) => output);
}
