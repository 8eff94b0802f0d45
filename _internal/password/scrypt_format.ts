import { Buffer } from "node:buffer";
import { assertPositiveInteger } from "../shared/validate.ts";

/** What a scrypt hash is made of. */
export interface ScryptHash {
  readonly N: number;
  readonly r: number;
  readonly p: number;
  readonly salt: Uint8Array;
  readonly key: Uint8Array;
}

/** Checks the parameters, and gives the memory in bytes that they need. */
export function scryptMemory({ N, r, p }: Pick<ScryptHash, "N" | "r" | "p">): number {
  const intent = "hash a password";
  assertPositiveInteger(intent, "N", N);
  assertPositiveInteger(intent, "r", r);
  assertPositiveInteger(intent, "p", p);
  if (N < 2 || !Number.isInteger(Math.log2(N))) {
    throw new RangeError(
      `Cannot ${intent} as 'N' must be a power of 2 greater than 1: current value is ${N}`,
    );
  }
  return 128 * r * (N + p + 2);
}

/** The hash in the notation that other libraries read: the PHC string format. */
export function formatScrypt({ N, r, p, salt, key }: ScryptHash): string {
  return `$scrypt$ln=${Math.log2(N)},r=${r},p=${p}$${base64(salt)}$${base64(key)}`;
}

/** The parts of a hash in that notation; nothing where it is not in it. */
export function parseScrypt(hash: string): ScryptHash | undefined {
  const match =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,9}),p=(\d{1,9})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(
      hash,
    );
  if (match === null) return undefined;
  const [ln, r, p] = match.slice(1, 4).map(Number);
  const [salt, key] = match.slice(4).map((part) => Buffer.from(part, "base64"));
  return { N: 2 ** ln, r, p, salt, key };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}
