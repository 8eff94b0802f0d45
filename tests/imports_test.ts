import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { needing } from "./_needs.ts";

const ROOT = fileURLToPath(import.meta.resolve("../"));

/** What each door, and the room with its parts, may import beside itself and `_internal/shared/`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "_internal/shared": [],
  "batcher.ts": ["_internal/batcher"],
  "_internal/batcher": [],
  "pool.ts": ["_internal/pool"],
  "_internal/pool": [],
  "workload.ts": ["_internal/password"],
  "_internal/password": [],
  "hash_pool.ts": ["pool.ts", "workload.ts", "_internal/pool", "_internal/password"],
  "postgres.ts": ["batcher.ts", "_internal/postgres"],
  "_internal/postgres": ["batcher.ts"],
  "pipeline.ts": ["batcher.ts", "pool.ts", "hash_pool.ts", "postgres.ts", "_internal/pipeline"],
  "_internal/pipeline": ["batcher.ts", "pool.ts", "hash_pool.ts", "postgres.ts"],
  "mod.ts": ["batcher.ts", "pool.ts", "hash_pool.ts", "pipeline.ts", "postgres.ts", "workload.ts"],
};

/** Files of `scripts/` import doors, and each other. */
const SCRIPTS_MAY_IMPORT = [
  ...["batcher.ts", "pool.ts", "hash_pool.ts", "pipeline.ts", "postgres.ts", "workload.ts"],
  "scripts",
];

/** What a module imports, and what it starts as a worker or as a program of its own. */
interface Imports {
  readonly files: readonly string[];
  /** What is loaded with it: all imports but those of types. */
  readonly loaded: readonly string[];
  readonly started: readonly string[];
  readonly packages: readonly string[];
}

/** All of the product's modules, by their paths. */
async function modules(): Promise<Map<string, Imports>> {
  const found = new Map<string, Imports>();
  async function read(folder: string) {
    for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
      const path = join(folder, name);
      if (isDirectory && folder !== "") await read(path);
      else if (name.endsWith(".ts")) found.set(path, await importsOf(path));
    }
  }
  for (const folder of ["", "_internal", "scripts"]) await read(folder);
  return found;
}

async function importsOf(path: string): Promise<Imports> {
  const text = await Deno.readTextFile(join(ROOT, path));
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const named = (pattern: RegExp, text = code) =>
    [...text.matchAll(pattern)].map(([, name]) => name);
  const specifiers = /\b(?:from|import)\s*\(?\s*"([^"]+)"/g;
  const imported = named(specifiers);
  const loaded = named(specifiers, code.replaceAll(/^(?:import|export) type [^;]*;/gm, ""));
  const started = named(/(?:new URL|import\.meta\.resolve)\(\s*"(\.[^"]+\.ts)"/g);
  const isFile = (specifier: string) => specifier.startsWith(".");
  const resolved = (specifier: string) => join(dirname(path), specifier);
  return {
    files: imported.filter(isFile).map(resolved),
    loaded: loaded.map((specifier) => isFile(specifier) ? resolved(specifier) : specifier),
    started: started.map(resolved),
    packages: imported.filter((specifier) => !isFile(specifier)),
  };
}

/** A room or `scripts` for what lies in it, or else the file itself. */
function placeOf(path: string): string {
  const [first, second] = relative("", path).split(/[\\/]/);
  return first === "_internal" ? `${first}/${second}` : first;
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from === "scripts") return SCRIPTS_MAY_IMPORT.includes(to);
  return to === "_internal/shared" || (MAY_IMPORT[from]?.includes(to) ?? false);
}

Deno.test({
  ...needing("Modules import only what their place allows"),
  async fn() {
    const found = [...await modules()].flatMap(([path, { files, started }]) =>
      [...files, ...started].map(placeOf).filter((place) => !mayImport(placeOf(path), place))
        .map((place) => `${path} -> ${place}`)
    );
    assertEquals([...new Set(found)], []);
  },
});

Deno.test({
  ...needing("Modules import each other in no circle"),
  async fn() {
    const imports = await modules();
    const done = new Set<string>();
    const circles: string[] = [];
    function visit(path: string, way: readonly string[]) {
      const from = way.indexOf(path);
      if (from >= 0) circles.push([...way.slice(from), path].join(" -> "));
      if (from >= 0 || done.has(path)) return;
      for (const file of imports.get(path)?.files ?? []) visit(file, [...way, path]);
      done.add(path);
    }
    for (const path of imports.keys()) visit(path, []);
    assertEquals(circles, []);
  },
});

Deno.test({
  ...needing("Published modules import nothing of @std"),
  async fn() {
    const found = [...await modules()].filter(([path, { packages }]) =>
      placeOf(path) !== "scripts" && packages.some((name) => /^(jsr:)?@std\//.test(name))
    );
    assertEquals(found.map(([path]) => path), []);
  },
});

Deno.test({
  // Deno downloads packages before the one who imports them can say a word.
  ...needing("Programs load no package before they load their main.ts"),
  async fn() {
    const imports = await modules();
    const programs = [...imports.keys()].filter((path) => /^scripts\W\w+\.ts$/.test(path));
    assert(programs.length > 8);
    for (const program of programs.filter((path) => !path.endsWith("engines.ts"))) {
      const loaded = new Set([program]);
      for (const path of loaded) imports.get(path)?.loaded.forEach((one) => loaded.add(one));
      const packages = [...loaded].filter((one) => !imports.has(one));
      assertEquals(packages.filter((name) => !name.startsWith("node:")), [], program);
      assert(loaded.has(join("scripts", "cli", "flags.ts")), program);
    }
  },
});
