import { type AlgorithmName, type ParameterName, parametersOf } from "../../workload.ts";
import { type FlagValues, parseInteger } from "../cli/flags.ts";
import { UsageError } from "../cli/run.ts";
import {
  type ALGORITHM_FLAGS,
  WORKLOAD_NAMES,
  type WorkloadName,
  WORKLOADS,
} from "./algorithm_flags.ts";

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
