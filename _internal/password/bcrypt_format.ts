const ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** What a bcrypt hash is made of. */
export interface BcryptHash {
  readonly cost: number;
  /** 16 bytes. */
  readonly salt: Uint8Array;
}

/** `$2b$`, the cost, 16 bytes of salt and 23 of what they and the password give. */
export function formatBcrypt({ cost, salt }: BcryptHash, digest: Uint8Array): string {
  return `$2b$${String(cost).padStart(2, "0")}$${encode(salt)}${encode(digest)}`;
}

/**
 * The cost and the salt of a hash; nothing where it is none, or its cost is not from 4 to 31. `$2a$`
 * and `$2y$` are the same algorithm.
 */
export function parseBcrypt(hash: string): BcryptHash | undefined {
  const match = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22})[./A-Za-z0-9]{31}$/.exec(hash);
  if (match === null) return undefined;
  const cost = Number(match[1]);
  return cost >= 4 && cost <= 31 ? { cost, salt: decode(match[2]) } : undefined;
}

/** bcrypt's base 64: the usual one in another alphabet, and with nothing at the end. */
function encode(bytes: Uint8Array): string {
  let text = "", bits = 0, count = 0;
  for (const byte of bytes) {
    bits = (bits << 8 | byte) & 0xffff;
    for (count += 8; count >= 6;) text += ALPHABET[bits >> (count -= 6) & 63];
  }
  return count > 0 ? text + ALPHABET[bits << (6 - count) & 63] : text;
}

function decode(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0, count = 0;
  for (const letter of text) {
    bits = (bits << 6 | ALPHABET.indexOf(letter)) & 0xffff;
    if ((count += 6) >= 8) bytes.push(bits >> (count -= 8) & 255);
  }
  return Uint8Array.from(bytes);
}
