// What tests of the library use of Deno, for runtimes that are not Deno. Each module of a test imports
// it, so that the library does not see it.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { inspect } from "node:util";

/** A test needs what only Deno has. */
export class OnlyDeno extends Error {}

/** The tests of the modules that are loaded. */
export const tests = [];

/** What is to be done after them. */
export const afterwards = [];

function test(...args) {
  const last = args.at(-1);
  const fn = typeof last === "function" ? last : last.fn;
  const options = Object.assign({}, ...args.filter((arg) => typeof arg === "object"));
  const name = options.name ?? args.find((arg) => typeof arg === "string") ?? fn.name;
  tests.push({ name, fn, ignore: options.ignore ?? false });
}

test.afterAll = (fn) => void afterwards.push(fn);

const known = {
  test,
  build: { os: process.platform === "win32" ? "windows" : process.platform },
  env: { get: (name) => process.env[name] },
  inspect,
  mainModule: import.meta.url,
  makeTempDir: () => mkdtemp(join(tmpdir(), "burst-")),
  memoryUsage: () => process.memoryUsage(),
  permissions: { querySync: () => ({ state: "granted" }) },
  readDirSync: (path) =>
    readdirSync(path, { withFileTypes: true }).map((entry) => ({ name: entry.name })),
  readTextFile: (path) => readFile(path, "utf8"),
  remove: (path, options) => rm(path, options),
};

export const Deno = new Proxy(known, {
  get(target, name) {
    if (name in target) return target[name];
    throw new OnlyDeno(`Deno.${String(name)}`);
  },
});
