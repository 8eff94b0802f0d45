import { type AlgorithmName, type ParameterName, parametersOf } from "../../workload.ts";
import { choice, type Flag, type FlagValues, list, parseInteger, text } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";

/** Algorithms, as they are called on the command line. */
const WORKLOADS = {
  bcrypt: "bcrypt",
  scrypt: "scrypt",
  argon2: "argon2id",
} as const satisfies Record<
  string,
  AlgorithmName
>;

type WorkloadName = keyof typeof WORKLOADS;

const WORKLOAD_NAMES = Object.keys(WORKLOADS) as WorkloadName[];

/** The flags of the algorithm. What they may be depends on which it is. */
export const ALGORITHM_FLAGS = {
  workload: choice("what passwords are hashed with (default: bcrypt)", WORKLOAD_NAMES, undefined),
  cost: list(
    "C",
    `CPU costs: ${ranges("cost")}; with bcrypt and scrypt each step doubles the time`,
    undefined,
    { parse: (text) => text },
  ),
  memory: parameterFlag("KIB", "memory"),
  parallelism: parameterFlag("N", "parallelism"),
};

type Values = FlagValues<typeof ALGORITHM_FLAGS>;

/** An algorithm, the costs to measure it at, and the other parameters that it has. */
export interface AlgorithmPlan {
  readonly algorithm: AlgorithmName;
  /** Without it, those of the preset. */
  readonly costs: readonly number[] | undefined;
  readonly memory: number | undefined;
  readonly parallelism: number | undefined;
}

/**
 * Reads the flags of an algorithm.
 *
 * @throws {UsageError} If it does not have such a parameter, or not within these limits.
 */
export function planAlgorithm(
  { workload = "bcrypt", cost, memory, parallelism }: Values,
): AlgorithmPlan {
  const algorithm = WORKLOADS[workload];
  const costs = cost?.map((text) => parameterOf(workload, "cost", text)!);
  return {
    algorithm,
    costs: costs && [...new Set(costs)],
    memory: parameterOf(workload, "memory", memory),
    parallelism: parameterOf(workload, "parallelism", parallelism),
  };
}

/** The value of a parameter, or its default; `undefined` where the algorithm has no such parameter. */
function parameterOf(
  workload: WorkloadName,
  name: ParameterName,
  text: string | undefined,
): number | undefined {
  const parameter = parametersOf(WORKLOADS[workload])[name];
  if (text === undefined) return parameter?.default;
  if (parameter === undefined) {
    throw new UsageError(
      `Cannot run this as ${workload} has no --${name}: it goes with --workload ${
        having(name).join(" or ")
      }`,
    );
  }
  try {
    return parseInteger(text, parameter.min, parameter.max);
  } catch (error) {
    throw new UsageError(`Cannot run this as --${name} ${(error as UsageError).message}`);
  }
}

/** The algorithms that have a parameter. */
function having(name: ParameterName): readonly WorkloadName[] {
  return WORKLOAD_NAMES.filter((workload) => parametersOf(WORKLOADS[workload])[name] !== undefined);
}

function ranges(name: ParameterName): string {
  return having(name).map((workload) => {
    const { min, max } = parametersOf(WORKLOADS[workload])[name]!;
    return `${min} to ${max} with ${workload}`;
  }).join(", ");
}

function parameterFlag(placeholder: string, name: ParameterName): Flag<string | undefined> {
  const help = having(name).map((workload) => {
    const { description, default: initial } = parametersOf(WORKLOADS[workload])[name]!;
    return `with ${workload}, ${description} (default:\u00a0${initial})`;
  }).join("; ");
  return text(placeholder, help);
}
