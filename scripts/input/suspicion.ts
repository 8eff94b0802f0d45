/** What a password looks like that is a hash. */
export interface Likeness {
  /** As in "it looks like …". */
  readonly what: string;
  /** Whether a single one tells. What has only digits and letters may be a password. */
  readonly certain: boolean;
}

const HASHES: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}$/, "a bcrypt hash"],
  [/^(?:\{ARGON2\})?\$argon2(?:id|i|d)\$/i, "an Argon2 hash"],
  [/^(?:\$scrypt\$|\$s0\$|\$7\$|scrypt[:$]\d+)/, "an scrypt hash"],
  [/^\$[PH]\$[./A-Za-z0-9]{20,}$/, "a phpass hash"],
  [/^\$S\$[./A-Za-z0-9]{30,}$/, "a Drupal hash"],
  [/^\$(?:1|5|6|y|gy|md5|sha1|apr1|bcrypt-sha256)\$/, "a hash of crypt(3)"],
  [/^\$pbkdf2|^pbkdf2[\w:-]*[:$]/i, "a PBKDF2 hash"],
  [/^(?:argon2|bcrypt(?:_sha256)?|sha1|sha256|sha512|md5|crypt|unsalted_\w+)\$.*\$/, "a hash"],
  // What no line above knows, as WordPress' `$wp$2y$…`
  [/^\$[a-z][a-z0-9-]*\$[./A-Za-z0-9+=,$-]{20,}$/, "a hash of crypt(3)"],
  [/^\{(?:X-)?[A-Z][A-Z0-9_-]*\}[A-Za-z0-9+/=$.]{8,}$/, "a hash of LDAP"],
  [/^\{(?:bcrypt|scrypt|argon2|pbkdf2|sha256)[@\w]*\}.{20,}$/, "a hash of Spring"],
  [/^SCRAM-SHA-\d+\$/, "a SCRAM secret"],
  [/^md5[0-9a-f]{32}$/, "a hash of PostgreSQL"],
  [/^\*[0-9A-F]{40}$/, "a hash of MySQL"],
];

/** Hexadecimal digits, by their number. */
const DIGESTS = new Map([[32, "an MD5"], [40, "a SHA-1"], [56, "a SHA-224"], [64, "a SHA-256"]]);

/** What kind of hash a password looks like. */
export function looksHashed(password: string): Likeness | undefined {
  const what = HASHES.find(([pattern]) => pattern.test(password))?.[1];
  if (what !== undefined) return { what, certain: true };
  const digest = /^[0-9a-f]+$|^[0-9A-F]+$/.test(password)
    ? DIGESTS.get(password.length)
    : undefined;
  return digest === undefined
    ? undefined
    : { what: `${digest} digest of hexadecimal digits`, certain: false };
}

/** Whether a text is what programs write where there is no value. */
export function isNullMarker(text: string): boolean {
  return /^(?:null|\(null\)|<null>|\[null\]|nil)$/i.test(text) ||
    ["\\N", "None", "NaN", "undefined", "#N/A", "N/A"].includes(text);
}
