import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Where npm's packages come from. */
export interface Registry {
  /** Its address, which ends with a slash. */
  readonly url: URL;
  /** What tells it who asks. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The registry for packages like `@scope/name`, as the user has set it up for npm. */
export async function npmRegistry(scope: string): Promise<Registry> {
  const home = homedir(); // null for a user without an entry in the system's list
  const settings = new Map<string, string>();
  for (const folder of home ? [home, process.cwd()] : [process.cwd()]) {
    const text = await Deno.readTextFile(join(folder, ".npmrc")).catch(() => "");
    for (const [name, value] of settingsIn(text)) settings.set(name, value);
  }
  const { NPM_CONFIG_REGISTRY, npm_config_registry = NPM_CONFIG_REGISTRY } = process.env;
  const address = settings.get(`${scope}:registry`) || npm_config_registry ||
    settings.get("registry") || "https://registry.npmjs.org/";
  const url = URL.parse(address.endsWith("/") ? address : `${address}/`);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Error("the address of the npm registry that is configured is not a URL");
  }
  const headers = authorization(url, settings);
  url.username = url.password = ""; // `fetch` takes no address with them
  return { url, headers };
}

function* settingsIn(npmrc: string): Generator<[name: string, value: string]> {
  for (const line of npmrc.split(/\r?\n/)) {
    const [, name, value] = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) continue;
    const bare = value.replace(/^(["'])(.*)\1$/, "$2");
    yield [name, bare.replace(/\$\{(\w+)\}/g, (whole, name) => process.env[name] ?? whole)];
  }
}

/** Credentials are given for an address and for all that is below it. */
function authorization(
  { host, pathname, username, password }: URL,
  settings: ReadonlyMap<string, string>,
): Record<string, string> {
  if (username) {
    const secret = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { authorization: `Basic ${new TextEncoder().encode(secret).toBase64()}` };
  }
  for (let path = pathname;; path = path.replace(/[^/]*\/?$/, "")) {
    for (const [key, scheme] of [["_authToken", "Bearer"], ["_auth", "Basic"]]) {
      const secret = settings.get(`//${host}${path}:${key}`);
      if (secret) return { authorization: `${scheme} ${secret}` };
    }
    if (path === "/" || path === "") return {};
  }
}
