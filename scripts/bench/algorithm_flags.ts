import type { AlgorithmName } from "../../workload.ts";
import { choice, list, text } from "../cli/flags.ts";

/** Algorithms, as they are called on the command line. */
export const WORKLOADS = {
  bcrypt: "bcrypt",
  scrypt: "scrypt",
  argon2: "argon2id",
} as const satisfies Record<string, AlgorithmName>;

/** The name of an algorithm on the command line. */
export type WorkloadName = keyof typeof WORKLOADS;

export const WORKLOAD_NAMES = Object.keys(WORKLOADS) as WorkloadName[];

/**
 * The flags of the algorithm. What they may be depends on which it is. Their help is written out, as
 * the algorithms need packages and the help must not: a test compares it with their parameters.
 */
export const ALGORITHM_FLAGS = {
  workload: choice("what passwords are hashed with (default: bcrypt)", WORKLOAD_NAMES, undefined),
  cost: list(
    "C",
    "CPU costs: 4 to 31 with bcrypt, 1 to 30 with scrypt, 1 to 65536 with argon2; with bcrypt and scrypt each step doubles the time",
    undefined,
    { parse: (text) => text },
  ),
  memory: text(
    "KIB",
    "with argon2, memory in KiB, at least 8 for each lane: the time grows with it (default:\u00a019456)",
  ),
  parallelism: text(
    "N",
    "with scrypt, times the work is done, one after the other, in the same memory (default:\u00a01); with argon2, lanes that the memory is divided into; they are computed one after the other (default:\u00a01)",
  ),
};
