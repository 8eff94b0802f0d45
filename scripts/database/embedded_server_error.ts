/**
 * PostgreSQL could not be started. The message is one sentence for the person at the terminal:
 * what could not be done, why, and, where it is known, what to do.
 */
export class EmbeddedServerError extends Error {
  override name = "EmbeddedServerError";
}

/**
 * A data folder that cannot be used as it is now. For a moment it may be like that because the
 * program before was killed, and its server is still ending or removing half a cluster.
 */
export class DataDirError extends EmbeddedServerError {}
