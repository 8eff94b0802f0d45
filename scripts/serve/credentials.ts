import { checkPassword } from "../../workload.ts";
import type { Asked } from "./http_server.ts";

/** What a client sends to sign up or to log in. */
export interface Credentials {
  /** As it is stored: in lower case. */
  readonly email: string;
  readonly password: string;
}

/** A request that cannot be met as it is, and the answer to it. */
export class Refusal extends Error {
  override name = "Refusal";
  readonly status: number;
  /** Whether the rest of the request is of no interest. */
  readonly close: boolean;

  constructor(status: number, message: string, { close = false } = {}) {
    super(message);
    this.status = status;
    this.close = close;
  }
}

/** Longest address that a mail server takes (RFC 5321), in bytes. */
const MAX_EMAIL = 254;

const encoder = new TextEncoder();

/**
 * Reads credentials from the body of a request.
 *
 * @throws {Refusal} If they are none, or too large. It quotes nothing of them.
 */
export async function readCredentials(asked: Asked, maxBytes: number): Promise<Credentials> {
  if (asked.contentType !== "application/json") {
    throw new Refusal(415, "Cannot read the body as its content-type must be application/json");
  }
  const { email, password } = parse(await readBody(asked, maxBytes));
  if (typeof email !== "string") {
    throw new Refusal(422, "Cannot use the email as it must be a string");
  }
  if (typeof password !== "string") {
    throw new Refusal(422, "Cannot use the password as it must be a string");
  }
  // Mail goes to the same person either way, and two users must not differ in that alone.
  return { email: email.normalize("NFC").toLowerCase(), password };
}

/**
 * Checks the credentials of a new user; the address as far as one can without sending a mail to it.
 *
 * @throws {Refusal} If they are unusable. It quotes nothing of them.
 */
export function checkNewUser({ email, password }: Credentials): void {
  const refuse = (why: string) => new Refusal(422, `Cannot use the email as ${why}`);
  if (!email.isWellFormed() || /[\p{Cc}\p{Cf}\p{Z}]/u.test(email)) {
    throw refuse("it has spaces or invisible characters in it");
  }
  const [local, domain, ...more] = email.split("@");
  if (!local || !domain || more.length > 0) throw refuse("it is none like name@example.com");
  if (encoder.encode(email).length > MAX_EMAIL) {
    throw refuse(`it is longer than ${MAX_EMAIL} bytes`);
  }
  if (password === "") throw new Refusal(422, "Cannot use the password as it is empty");
  try {
    checkPassword(password);
  } catch (error) {
    throw new Refusal(422, (error as Error).message);
  }
}

async function readBody({ body, contentLength = 0 }: Asked, maxBytes: number): Promise<Uint8Array> {
  const refusal = () =>
    new Refusal(422, `Cannot read the body as it must not be larger than ${maxBytes} bytes`, {
      close: true,
    });
  if (contentLength > maxBytes) throw refusal();
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body) {
    length += part.length;
    if (length > maxBytes) throw refusal();
    parts.push(part);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function parse(bytes: Uint8Array): { readonly email?: unknown; readonly password?: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // The error quotes the text.
    throw new Refusal(422, "Cannot read the body as it is not valid JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new Refusal(422, "Cannot read the body as it must be an object with email and password");
}
