/**
 * PostgreSQL could not be started. The message is one sentence for the person at the terminal:
 * what could not be done, why, and, where it is known, what to do.
 */
export class EmbeddedServerError extends Error {
  override name = "EmbeddedServerError";
}
