/** What is measured where no flag says otherwise. */
export interface Preset {
  readonly costs: readonly number[];
  /** Round-trip times to add, in milliseconds. */
  readonly latencies: readonly number[];
  /** How many passwords are hashed at a cost. */
  count(cost: number): number;
  readonly batchSize: number;
  readonly help: string;
}

/** The presets by name. */
export const PRESETS = {
  /**
   * The book's in small: hash and round trip are an eighth to a tenth of what they are there, so that
   * their ratio is about the same.
   */
  quick: {
    costs: [5, 7],
    latencies: [10],
    count: (cost) => cost >= 7 ? 60 : 150,
    batchSize: 30,
    help: "under a minute on two cores",
  },
  /** The original experiment: the same costs, hashes and round trip. */
  book: {
    costs: [8, 10, 11, 12],
    latencies: [100],
    count: (cost) => cost <= 8 ? 600 : 400,
    batchSize: 100,
    help: "the original experiment, over an hour",
  },
} satisfies Record<string, Preset>;

/** The name of a preset. */
export type PresetName = keyof typeof PRESETS;

export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
