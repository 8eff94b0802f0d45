import { checkPassword } from "../../workload.ts";
import { countMembers } from "../input/json.ts";
import type { Asked } from "./http_server.ts";

/** What a client sends to sign up or to log in. */
export interface Credentials {
  /** As it is stored: in lower case. */
  readonly email: string;
  /** In the form NFC, as NIST SP 800-63B has it: keyboards differ in how they compose an é. */
  readonly password: string;
  /** As it came. */
  readonly typed: string;
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

/** The status of what nobody will read, as nginx has it. */
export const GONE = 499;

/** Longest address that a mail server takes (RFC 5321), in bytes. */
const MAX_EMAIL = 254;

/** What a browser takes for `<input type=email>`, by the HTML standard. */
const ADDRESS =
  /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

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
  const address = email.normalize("NFC").toLowerCase();
  if (encoder.encode(address).length > MAX_EMAIL) {
    throw new Refusal(422, `Cannot use the email as it is longer than ${MAX_EMAIL} bytes`);
  }
  return { email: address, password: password.normalize("NFC"), typed: password };
}

/**
 * Checks the credentials of a new user; the address as far as one can without sending a mail to it.
 *
 * @throws {Refusal} If they are unusable. It quotes nothing of them.
 */
export function checkNewUser(
  { email, password }: Credentials,
  { minPassword }: { minPassword: number },
): void {
  if (!ADDRESS.test(email)) {
    throw new Refusal(422, "Cannot use the email as it is not a valid address");
  }
  if ([...password].length < minPassword) {
    throw new Refusal(
      422,
      `Cannot use the password as it must have at least ${minPassword} characters`,
    );
  }
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
  for await (const part of untilGone(body)) {
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

/** A client that leaves, or is too slow, is no mistake of anybody's. */
async function* untilGone(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch {
    throw new Refusal(GONE, "The client has disconnected", { close: true });
  }
}

function parse(bytes: Uint8Array): { readonly email?: unknown; readonly password?: unknown } {
  let text: string, value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The error quotes the text.
    throw new Refusal(422, "Cannot read the body as it is not valid JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Refusal(422, "Cannot read the body as it must be an object with email and password");
  }
  // What stands before this may have checked the other one.
  if (Object.keys(value).length < countMembers(text)) {
    throw new Refusal(422, "Cannot read the body as it has the same name twice");
  }
  return value;
}
