import { whyUnreadable } from "../cli/files.ts";
import { ScriptError } from "../cli/run.ts";

const encoder = new TextEncoder();

/** Of what a sealed job begins with: how it is sealed. */
const VERSION = 1;

/** Bytes of a nonce of AES-GCM, and of the tag at the end. */
const NONCE = 12;
const TAG = 16;

/** Seals jobs for those who have the same key, and opens them. */
export class JobKey {
  readonly #seal: CryptoKey;
  readonly #name: CryptoKey;
  /** Tells keys apart, and nothing else of them. */
  readonly id: string;

  private constructor(seal: CryptoKey, name: CryptoKey, id: string) {
    this.#seal = seal;
    this.#name = name;
    this.id = id;
  }

  /**
   * Makes the keys for each purpose from one secret.
   *
   * @param secret 32 bytes.
   */
  static async from(secret: Uint8Array<ArrayBuffer>): Promise<JobKey> {
    const main = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
      "deriveKey",
      "deriveBits",
    ]);
    const purpose = (info: string) => ({
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(),
      info: encoder.encode(`burst ${info} 1`),
    });
    const aes = { name: "AES-GCM", length: 256 };
    const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
    return new JobKey(
      await crypto.subtle.deriveKey(purpose("seal"), main, aes, false, ["encrypt", "decrypt"]),
      await crypto.subtle.deriveKey(purpose("name"), main, hmac, false, ["sign"]),
      base64url(await crypto.subtle.deriveBits(purpose("key id"), main, 64)),
    );
  }

  /**
   * The name of the job for a row: always the same, and so that nobody without the key learns the
   * row's id from it, which may be an email.
   */
  async jobId(rowId: string): Promise<string> {
    const mac = await crypto.subtle.sign("HMAC", this.#name, encoder.encode(rowId));
    return base64url(mac.slice(0, 16));
  }

  /** Seals a job: version, nonce, ciphertext and tag. It cannot be opened under another name. */
  async seal(jobId: string, content: string): Promise<Uint8Array> {
    const iv = crypto.getRandomValues(new Uint8Array(NONCE));
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv, additionalData: encoder.encode(jobId) },
      this.#seal,
      encoder.encode(content),
    );
    const bytes = new Uint8Array(1 + NONCE + sealed.byteLength);
    bytes[0] = VERSION;
    bytes.set(iv, 1);
    bytes.set(new Uint8Array(sealed), 1 + NONCE);
    return bytes;
  }

  /** Opens a job; `undefined` if it is damaged, under another name, or sealed with another key. */
  async open(jobId: string, bytes: Uint8Array): Promise<string | undefined> {
    if (bytes[0] !== VERSION || bytes.length < 1 + NONCE + TAG) return undefined;
    try {
      const content = await crypto.subtle.decrypt(
        {
          name: "AES-GCM",
          iv: bytes.slice(1, 1 + NONCE),
          additionalData: encoder.encode(jobId),
        },
        this.#seal,
        bytes.slice(1 + NONCE),
      );
      return new TextDecoder("utf-8", { fatal: true }).decode(content);
    } catch {
      return undefined;
    }
  }
}

/**
 * Reads a key from a file: 32 bytes, in base64 or hexadecimal.
 *
 * @param warn Called with a sentence if other users may read the file. That is no error, as what puts
 *   secrets into a container likes to leave them so.
 * @throws {ScriptError} If there is none. The message shows nothing of the file.
 */
export async function readKey(path: string, warn: (sentence: string) => void): Promise<JobKey> {
  const text = await Deno.readTextFile(path).catch((error) => {
    throw new ScriptError(`Cannot read the key in '${path}' as ${whyUnreadable(error)}`);
  });
  const secret = parseKey(text.trim());
  if (secret !== undefined) {
    const { mode } = await Deno.stat(path);
    if (mode !== null && mode & 0o004) {
      warn(`Every user of this machine may read the key in '${path}': use chmod 600`);
    }
    return await JobKey.from(secret);
  }
  throw new ScriptError(
    `Cannot use the key in '${path}' as it must be 32 bytes in base64 or hexadecimal: make one with "openssl rand -base64 32"`,
  );
}

function parseKey(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (/^[\da-f]{64}$/i.test(text)) {
    return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
  }
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(standard), (char) => char.charCodeAt(0));
}

function base64url(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
