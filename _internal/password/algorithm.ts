/** A parameter of an algorithm. The description is made for the help of a flag of the same name. */
export interface Parameter {
  /** What it sets, in a few words. */
  readonly description: string;
  /** Its value where none is given. */
  readonly default: number;
  /** Least that it may be: all values are integers. */
  readonly min: number;
  /** Most that it may be. */
  readonly max: number;
}

/** Names of parameters. Those which mean the same are called the same in every algorithm. */
export type ParameterName = "cost" | "memory" | "parallelism" | "blockSize";

/** The parameters of an algorithm, by their names. */
export type Parameters = { readonly [name in ParameterName]?: number };

/** An algorithm that hashes passwords. Those that are known stand in `algorithms.ts`. */
export interface PasswordAlgorithm {
  readonly name: string;
  readonly parameters: { readonly [name in ParameterName]?: Parameter };
  /** Throws unless a password can be hashed as it is. What it throws tells nothing of the password. */
  check(password: string): void;
  /** Memory that a hash needs, in bytes. */
  memoryOf(parameters: Required<Parameters>): number;
  /** Loads what it needs, where that is not loaded with it. */
  load?(): Promise<unknown>;
  /** Hashes a password that has been checked. */
  hash(password: string, parameters: Required<Parameters>): Promise<string>;
  /** The same while the thread is blocked, where that can be done. */
  hashSync?(password: string, parameters: Required<Parameters>): string;
  /** How its hashes begin. */
  readonly prefix: RegExp;
  /**
   * Throws unless a hash that begins so is complete, and asks for what can be computed.
   *
   * @param intent What needs the hash.
   */
  checkHash(hash: string, intent: string): void;
  /** Compares a password with a hash, both of which have been checked. */
  verify(password: string, hash: string): Promise<boolean>;
}
