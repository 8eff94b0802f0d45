/** What bcrypt sees of a password, in bytes of UTF-8. */
export const MAX_PASSWORD_BYTES = 72;

const encoder = new TextEncoder();

/**
 * Throws unless a password can be hashed as it is. The messages tell its length, never its text.
 */
export function checkPassword(
  password: string,
  { maxBytes = MAX_PASSWORD_BYTES, nul = false }: { maxBytes?: number; nul?: boolean } = {},
): void {
  if (typeof password !== "string") {
    throw new TypeError(
      `Cannot hash a password as it must be a string: its type is ${typeof password}`,
    );
  }
  if (!nul && password.includes("\0")) {
    throw new TypeError("Cannot hash a password with a NUL character in it as bcrypt stops there");
  }
  if (!password.isWellFormed()) {
    throw new TypeError("Cannot hash a password with half of a surrogate pair in it");
  }
  // No character takes more than 3 bytes for each UTF-16 unit, so most need not be encoded.
  if (password.length * 3 <= maxBytes) return;
  const bytes = encoder.encode(password).length;
  if (bytes > maxBytes) {
    throw new RangeError(
      `Cannot hash a password of ${bytes} bytes as bcrypt sees only the first ${maxBytes}`,
    );
  }
}
