import { isIP } from "node:net";
import { join } from "node:path";
import { checkServerIdentity } from "node:tls";
import { parseAddress, type ParsedAddress } from "../cli/address.ts";
import { whyUnreadable } from "../cli/files.ts";
import { ScriptError, UsageError } from "../cli/run.ts";

/** How to connect, in the terms of postgres.js. */
export interface ConnectSettings {
  readonly host: string[];
  readonly port: number[];
  /** The socket of the file system, where the host is the folder that it is in. */
  readonly path?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl: false | "prefer" | "require" | Readonly<Record<string, unknown>>;
  readonly prepare: boolean;
  readonly connect_timeout: number;
  readonly target_session_attrs?: string;
  readonly connection: Readonly<Record<string, string>>;
}

/** What a parameter of libpq is set to by, besides the address. */
const VARIABLES: Readonly<Record<string, string>> = {
  host: "PGHOST",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  dbname: "PGDATABASE",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  connect_timeout: "PGCONNECT_TIMEOUT",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  channel_binding: "PGCHANNELBINDING",
  client_encoding: "PGCLIENTENCODING",
  gssencmode: "PGGSSENCMODE",
  passfile: "PGPASSFILE",
};

/** What we do not do, by the values with which it would do nothing. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  channel_binding: ["disable", "prefer"],
  client_encoding: ["utf8", "utf-8", "auto"],
  gssencmode: ["disable", "prefer"],
};

/** Variables that change how libpq connects, and that we do not know. */
const UNKNOWN_VARIABLES = [
  ...["PGHOSTADDR", "PGSERVICE", "PGREQUIREAUTH", "PGREQUIREPEER", "PGSSLCRL", "PGSSLCRLDIR"],
  ...["PGSSLNEGOTIATION", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGREQUIRESSL"],
  ...["PGSSLCERTMODE", "PGLOADBALANCEHOSTS", "PGTZ", "PGDATESTYLE", "PGGEQO"],
];

const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

const SESSIONS = ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"];

/**
 * Reads an address as libpq does, with what its environment variables add. Without `sslmode` the
 * connection is not encrypted. What is not supported is refused by its name, and never ignored.
 *
 * @param source What the address was given by, as `--database-url`.
 * @throws {UsageError} If it cannot be used.
 * @throws {ScriptError} If a file that it names cannot be read.
 */
export async function readDatabaseAddress(
  text: string,
  source: string,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): Promise<ConnectSettings> {
  const refuse = (why: string) => new UsageError(`Cannot connect to a database as ${why}`);
  const parsed = parseAddress(text, {
    source,
    protocols: ["postgres", "postgresql"],
    example: "postgres://user:password@host:5432/name",
  });
  const { hosts, user, password, path, parameters } = parsed;
  const given = new Map(parameters);
  for (const [name, value] of ofAddress(parsed)) {
    if (given.has(name)) throw refuse(`${source} has '${name}' twice, before its ? and behind it`);
    given.set(name, value);
  }
  for (const name of given.keys()) {
    if (Object.hasOwn(VARIABLES, name) || name === "pgbouncer") continue;
    throw refuse(`${source} has the parameter '${name}', which is not supported here`);
  }
  const unknown = UNKNOWN_VARIABLES.find((name) => env(name));
  if (unknown !== undefined) {
    throw refuse(`${unknown} is set, which is not supported here: unset it`);
  }
  const get = (name: string) => given.get(name) || env(VARIABLES[name]) || undefined;
  for (const [name, harmless] of Object.entries(HARMLESS)) {
    const value = get(name);
    if (value === undefined || harmless.includes(value.toLowerCase())) continue;
    throw refuse(
      `'${name}' is set to something else than ${harmless[0]}, which is not supported here`,
    );
  }
  const seconds = Number(get("connect_timeout") ?? 10);
  if (!Number.isInteger(seconds) || seconds < 1) {
    throw refuse("'connect_timeout' must be a whole number of seconds of at least 1");
  }
  const pgbouncer = given.get("pgbouncer") ?? "false";
  if (!["true", "false"].includes(pgbouncer)) throw refuse("'pgbouncer' must be true or false");
  const session = get("target_session_attrs") ?? "any";
  if (!SESSIONS.includes(session)) {
    throw refuse(`'target_session_attrs' must be one of ${SESSIONS.join(", ")}`);
  }
  const names = hosts.length > 0 ? hosts.map(({ name }) => name) : get("host")?.split(",");
  const ports = get("port")?.split(",").map(Number) ?? [];
  const host = names ?? ["localhost"];
  const port = host.map((_, i) => hosts[i]?.port ?? ports[i] ?? ports.at(-1) ?? 5432);
  if (host.length > 1 && host.some((name) => name.startsWith("/"))) {
    throw refuse("a socket cannot be one of several hosts");
  }
  if (port.some((one) => !Number.isInteger(one) || one < 1 || one > 65_535)) {
    throw refuse("a port must be a whole number from 1 to 65535");
  }
  const database = path || get("dbname");
  const login = { user: user ?? get("user"), password: password ?? get("password") };
  const settings = {
    host,
    port,
    // The driver makes one of a text only, and not of a list of hosts.
    ...host[0].startsWith("/") && { path: `${host[0]}/.s.PGSQL.${port[0]}` },
    ...login.user !== undefined && { user: login.user },
    ...database !== undefined && { database },
    ssl: await ssl(get, refuse, host),
    prepare: pgbouncer !== "true",
    connect_timeout: seconds,
    // The driver has no word for any.
    ...session !== "any" && { target_session_attrs: session },
    connection: {
      application_name: get("application_name") ?? "burst",
      ...get("options") !== undefined && { options: get("options")! },
    },
  };
  const secret = login.password ?? await fromPasswordFile(settings, env, get("passfile"));
  return secret === undefined ? settings : { ...settings, password: secret };
}

/** An address may also have its parts as parameters: `postgres:///name?host=/run/postgresql`. */
function* ofAddress({ hosts, user, password, path }: ParsedAddress): Generator<[string, string]> {
  if (hosts.length > 0) yield ["host", hosts.map(({ name }) => name).join(",")];
  if (user !== undefined) yield ["user", user];
  if (password !== undefined) yield ["password", password];
  if (path !== "") yield ["dbname", path];
}

async function ssl(
  get: (name: string) => string | undefined,
  refuse: (why: string) => UsageError,
  hosts: readonly string[],
): Promise<ConnectSettings["ssl"]> {
  const rootCert = get("sslrootcert");
  // As libpq has it: whoever names the system's roots wants them to count.
  const mode = get("sslmode") ?? (rootCert === "system" ? "verify-full" : "disable");
  if (!SSL_MODES.includes(mode)) throw refuse(`'sslmode' must be one of ${SSL_MODES.join(", ")}`);
  if (mode === "disable") return false;
  const [cert, key] = [get("sslcert"), get("sslkey")];
  const own = {
    ...cert !== undefined && { cert: await read(cert) },
    ...key !== undefined && { key: await read(key) },
  };
  if (mode === "allow" || mode === "prefer") {
    if (cert === undefined && rootCert === undefined) return "prefer";
    throw refuse(`'sslmode' ${mode} uses no certificates: set it to require or more`);
  }
  // As libpq has it: a root certificate makes of 'require' what 'verify-ca' is.
  if (mode === "require" && rootCert === undefined) {
    return cert === undefined ? "require" : { rejectUnauthorized: false, ...own };
  }
  return {
    rejectUnauthorized: true,
    ...rootCert !== undefined && rootCert !== "system" && { ca: await read(rootCert) },
    ...mode !== "verify-full" && { checkServerIdentity: () => undefined },
    ...mode === "verify-full" && hosts.some((host) => isIP(host) !== 0) &&
      { checkServerIdentity: identityOf(hosts) },
    ...own,
  };
}

/**
 * Checks whose certificate it is. The driver gives no name where the host is a number, and what is
 * checked by default then is `localhost`: so the certificate must have one of the numbers.
 */
function identityOf(hosts: readonly string[]): typeof checkServerIdentity {
  return (name, certificate) => {
    const names = hosts.includes(name) ? [name] : hosts.filter((host) => isIP(host) !== 0);
    const errors = names.map((one) => checkServerIdentity(one, certificate));
    return errors.includes(undefined) ? undefined : errors[0];
  };
}

async function read(path: string): Promise<string> {
  return await Deno.readTextFile(path).catch((error) => {
    throw new ScriptError(`Cannot read '${path}' as ${whyUnreadable(error)}`);
  });
}

/** The password of the first line that fits, of the file that libpq reads. */
async function fromPasswordFile(
  { host, port, user, database }: Pick<ConnectSettings, "host" | "port" | "user" | "database">,
  env: (name: string) => string | undefined,
  named: string | undefined,
): Promise<string | undefined> {
  const home = env("HOME");
  const path = named ?? (home && Deno.build.os !== "windows" ? join(home, ".pgpass") : undefined);
  if (path === undefined || user === undefined) return undefined;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (named === undefined) return undefined;
    throw new ScriptError(`Cannot read PGPASSFILE as ${whyUnreadable(error)}`);
  }
  const wanted = [
    host[0].startsWith("/") ? "localhost" : host[0],
    `${port[0]}`,
    database ?? user,
    user,
  ];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("#")) continue;
    const fields = [...line.matchAll(/((?:\\.|[^:\\])*)(?::|$)/g)].map(([, field]) =>
      field.replace(/\\(.)/g, "$1")
    );
    if (fields.length < 5) continue;
    if (wanted.every((value, i) => fields[i] === "*" || fields[i] === value)) return fields[4];
  }
  return undefined;
}
