import { UsageError } from "./run.ts";

/** An address that was read. */
export interface ParsedAddress {
  readonly protocol: string;
  /** Decoded; `undefined` where there is none. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** As written, in order; the port is `undefined` where there is none. */
  readonly hosts: readonly { readonly name: string; readonly port: number | undefined }[];
  /** Decoded, without the slash. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Reads an address: `protocol://user:password@host:port,host:port/path?name=value`. Of one that
 * cannot be read for certain nothing is shown, as any part of it may be the password.
 *
 * @param source What it was given by, as `--database-url`.
 * @throws {UsageError} If it is none.
 */
export function parseAddress(
  text: string,
  { source, protocols, example }: { source: string; protocols: readonly string[]; example: string },
): ParsedAddress {
  const refuse = (why: string) => new UsageError(`Cannot use ${source} as ${why}`);
  // A file of secrets ends in a line feed, and behind a NUL the server reads another parameter.
  if (/%[01][\da-f]|%7f|\p{Cc}/iu.test(text)) {
    throw refuse("it must not have a line break or another control character in it");
  }
  const match = /^([a-z]+):\/\/(?:([^/?#]*)@)?([^@/?#]*)(\/[^?#@]*)?(?:\?([^#@]*))?$/.exec(text);
  if (match === null || !protocols.includes(match[1])) {
    // A password with one of these ends the part of the address in which it stands.
    const cut = /^[a-z]+:\/\/[^@]*[/?#][^@]*@/.test(text);
    throw refuse(
      cut
        ? `a user name or password with one of / ? # @ in it must have it percent-encoded, like %2F for /`
        : `it must be an address like ${example}`,
    );
  }
  const [, protocol, login, hosts, path = "", query = ""] = match;
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw refuse("a % in it must be followed by two hexadecimal digits: write %25 for % itself");
    }
  };
  const colon = login?.indexOf(":") ?? -1;
  const parameters = new Map<string, string>();
  for (const pair of query.split("&").filter((pair) => pair !== "")) {
    const [name, ...value] = pair.split("=");
    if (parameters.has(decode(name))) throw refuse(`it has the parameter '${decode(name)}' twice`);
    parameters.set(decode(name), decode(value.join("=")));
  }
  return {
    protocol,
    user: login === undefined ? undefined : decode(colon === -1 ? login : login.slice(0, colon)),
    password: colon === -1 ? undefined : decode(login!.slice(colon + 1)),
    hosts: hosts === "" ? [] : hosts.split(",").map((host) => {
      const parts = /^(\[[\da-fA-F:.%]+\]|[^:[\]]*)(?::(\d*))?$/.exec(host.trim());
      const port = parts?.[2] ? Number(parts[2]) : undefined;
      if (parts === null || (port !== undefined && (port < 1 || port > 65_535))) {
        throw refuse(`it must be an address like ${example}`);
      }
      return { name: decode(parts[1].replace(/^\[|\]$/g, "")), port };
    }),
    path: decode(path.slice(1)),
    parameters,
  };
}

/** A host and a port as an address has them. */
export function hostAndPort(name: string, port: number): string {
  return `${name.includes(":") ? `[${name}]` : name}:${port}`;
}
