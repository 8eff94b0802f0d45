/**
 * Makes the package that npm's users of JSR get: modules with their types stripped, declarations
 * beside them, and the imports from npm as dependencies.
 *
 * ```sh
 * deno run -A --no-lock tests/runtimes/npm_package.ts FOLDER
 * ```
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(import.meta.resolve("../../"));

/** The part of TypeScript's compiler that is used. */
interface TypeScript {
  readonly ModuleKind: { readonly ESNext: number };
  readonly ScriptTarget: { readonly ES2023: number };
  transpileModule(text: string, options: { compilerOptions: unknown }): { outputText: string };
  transpileDeclaration(
    text: string,
    options: { compilerOptions: unknown; fileName: string; reportDiagnostics: boolean },
  ): { outputText: string; diagnostics?: readonly { messageText: unknown }[] };
}

// A specifier that Deno cannot read beforehand: only who runs this downloads 23 MB.
const TYPESCRIPT = "npm:typescript@5.9.3";
const { default: ts }: { default: TypeScript } = await import(TYPESCRIPT);

/** `target`: the oldest Node must understand it, so that `using` is written out. */
const OPTIONS = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  rewriteRelativeImportExtensions: true,
  verbatimModuleSyntax: true,
  isolatedDeclarations: true,
};

/** Writes the package into a folder. */
export async function makeNpmPackage(folder: string): Promise<void> {
  const { name, version, license, exports, imports, publish } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  );
  const used = new Set<string>();
  for (const path of await publishedModules(publish.include)) {
    const text = await Deno.readTextFile(join(ROOT, path));
    for (const [, specifier] of text.matchAll(/^(?!\s*\*).*\b(?:from |import\()"([^".:]+)"/gm)) {
      used.add(specifier);
    }
    const to = join(folder, path).replace(/\.ts$/, "");
    await Deno.mkdir(dirname(to), { recursive: true });
    await Deno.writeTextFile(`${to}.js`, toJavaScript(text));
    await Deno.writeTextFile(`${to}.d.ts`, declarationsOf(text, path));
  }
  for (const file of ["README.md", "LICENSE"]) {
    await Deno.copyFile(join(ROOT, file), join(folder, file));
  }
  const entries = Object.entries<string>(exports).filter(([, path]) =>
    !path.startsWith("./scripts/")
  );
  const json = {
    name,
    version,
    license,
    type: "module",
    engines: { node: ">=22" },
    exports: Object.fromEntries(entries.map(([door, path]) => {
      const base = path.replace(/\.ts$/, "");
      return [door, { types: `${base}.d.ts`, default: `${base}.js` }];
    })),
    dependencies: Object.fromEntries(
      [...used].sort().map((name) => [name, imports[name].replace(`npm:${name}@`, "")]),
    ),
  };
  await Deno.writeTextFile(join(folder, "package.json"), `${JSON.stringify(json, null, 2)}\n`);
}

/** A module without its types, and with `.js` for `.ts`. */
export function toJavaScript(text: string): string {
  return ts.transpileModule(text, { compilerOptions: OPTIONS }).outputText;
}

function declarationsOf(text: string, fileName: string): string {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(text, {
    fileName,
    compilerOptions: OPTIONS,
    reportDiagnostics: true,
  });
  for (const { messageText } of diagnostics) throw new Error(`${fileName}: ${messageText}`);
  return outputText.replaceAll(/(\bfrom "\.[^"]*)\.ts"/g, '$1.js"');
}

/** The modules of the library: the programs are for Deno alone. */
async function publishedModules(include: readonly string[]): Promise<string[]> {
  const found = include.filter((path) => path.endsWith(".ts"));
  async function read(folder: string) {
    for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
      if (isDirectory) await read(`${folder}/${name}`);
      else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
    }
  }
  await read("_internal");
  return found;
}

if (import.meta.main) await makeNpmPackage(Deno.args[0]);
