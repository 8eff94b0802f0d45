import type { AlgorithmName } from "../../workload.ts";

/** What is measured where no flag says otherwise. */
export interface Preset {
  readonly hashes: Readonly<Record<AlgorithmName, Hashes>>;
  /** Round-trip times to add, in milliseconds. */
  readonly latencies: readonly number[];
  /** Items for a function of the user's. */
  readonly items: number;
  readonly batchSize: number;
  readonly help: string;
}

/** Costs, and how many passwords are hashed at each. */
interface Hashes {
  readonly costs: readonly number[];
  readonly count: (cost: number) => number;
}

/** The presets by name. */
export const PRESETS = {
  /**
   * The book's in small: hash and round trip are an eighth to a tenth of what they are there, so that
   * their ratio is about the same.
   */
  quick: {
    hashes: {
      bcrypt: { costs: [5, 7], count: (cost) => cost >= 7 ? 60 : 150 },
      scrypt: { costs: [10, 12], count: (cost) => cost >= 12 ? 60 : 150 },
      argon2id: { costs: [1], count: () => 30 },
    },
    latencies: [10],
    items: 150,
    batchSize: 30,
    help: "under a minute on two cores",
  },
  /** The original experiment: the same costs, hashes and round trip. */
  book: {
    hashes: {
      bcrypt: { costs: [8, 10, 11, 12], count: (cost) => cost <= 8 ? 600 : 400 },
      scrypt: { costs: [13, 15, 16, 17], count: (cost) => cost <= 13 ? 600 : 400 },
      argon2id: { costs: [1, 2, 4, 6], count: (cost) => cost <= 1 ? 600 : 400 },
    },
    latencies: [100],
    items: 600,
    batchSize: 100,
    help: "the original experiment, over an hour",
  },
} satisfies Record<string, Preset>;

/** The name of a preset. */
export type PresetName = keyof typeof PRESETS;

export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
