import { describe } from "../shared/validate.ts";
import type { ParameterName, Parameters, PasswordAlgorithm } from "./algorithm.ts";
import { argon2id } from "./argon2id.ts";
import { bcrypt } from "./bcrypt.ts";
import { scrypt } from "./scrypt.ts";

/** Names of the algorithms. */
export type AlgorithmName = "bcrypt" | "scrypt" | "argon2id";

/** What passwords can be hashed with. A new algorithm is one file more, and a line here. */
export const ALGORITHMS: { readonly [name in AlgorithmName]: PasswordAlgorithm } = {
  bcrypt,
  scrypt,
  argon2id,
};

/** An algorithm, and those of its parameters that are not the defaults. */
export interface AlgorithmSettings extends Parameters {
  readonly algorithm?: AlgorithmName;
}

/** An algorithm with all its parameters. */
export interface ResolvedAlgorithm {
  readonly algorithm: PasswordAlgorithm;
  readonly parameters: Required<Parameters>;
}

/** Finds an algorithm, fills in its defaults, and checks. */
export function resolveAlgorithm(
  intent: string,
  { algorithm: name = "bcrypt", ...given }: AlgorithmSettings,
): ResolvedAlgorithm {
  if (typeof name !== "string" || !Object.hasOwn(ALGORITHMS, name)) {
    throw new TypeError(
      `Cannot ${intent} as 'algorithm' must be ${listed()}: current value is ${describe(name)}`,
    );
  }
  const algorithm = ALGORITHMS[name];
  const parameters: { [name in ParameterName]?: number } = {};
  for (const [key, parameter] of Object.entries(algorithm.parameters)) {
    const { default: fallback, min, max } = parameter;
    const value = given[key as ParameterName] ?? fallback;
    if (!(Number.isInteger(value) && value >= min && value <= max)) {
      throw new RangeError(
        `Cannot ${intent} as '${key}' must be an integer from ${min} to ${max}: current value is ${
          describe(value)
        }`,
      );
    }
    parameters[key as ParameterName] = value;
  }
  for (const key of PARAMETER_NAMES) {
    if (given[key] === undefined || key in parameters) continue;
    throw new TypeError(`Cannot ${intent} as '${key}' is not a parameter of ${name}`);
  }
  return { algorithm, parameters: parameters as Required<Parameters> };
}

/**
 * Finds the algorithm of a hash that can be verified.
 *
 * @throws {TypeError} If it is none.
 * @throws {RangeError} If one of its parameters is out of range.
 */
export function algorithmOf(hash: string, intent: string): PasswordAlgorithm {
  const algorithm = Object.values(ALGORITHMS).find(({ prefix }) => prefix.test(hash));
  if (algorithm === undefined) {
    throw new TypeError(`Cannot ${intent} as the hash is not one of ${listed("")}`);
  }
  algorithm.checkHash(hash, intent);
  return algorithm;
}

/** Without the blanks with which a column of type char(n) pads a hash. */
export function unpadded(hash: string): string {
  return hash.replace(/ +$/, "");
}

/** Tells whether a hash, of any algorithm, is that of this password. */
export async function verify(password: string, padded: string): Promise<boolean> {
  const hash = unpadded(padded);
  const algorithm = algorithmOf(hash, "verify a password");
  try {
    algorithm.check(password);
  } catch {
    return false;
  }
  return await algorithm.verify(password, hash);
}

/** The names of the algorithms, for a message. */
function listed(quote = '"'): string {
  const names = Object.keys(ALGORITHMS).map((name) => quote + name + quote);
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

const PARAMETER_NAMES = [
  ...new Set(Object.values(ALGORITHMS).flatMap(({ parameters }) => Object.keys(parameters))),
] as readonly ParameterName[];
