import { givenUrl } from "../database/connect.ts";
import type { Values } from "./flags.ts";
import { MODES } from "./modes.ts";
import { PRESETS } from "./presets.ts";
import type { Plan } from "./runner.ts";
import { planWorks } from "./works.ts";

/**
 * What the flags ask for, over the preset.
 *
 * @throws {UsageError} If they do not go together.
 * @throws {ScriptError} If the module or the input cannot be used.
 */
export async function makePlan(flags: Values): Promise<Plan> {
  const preset = PRESETS[flags.preset];
  // Whoever asks for his own database wants to know it as it is.
  const asItIs = flags.preset === "quick" && givenUrl(flags["database-url"]) !== undefined;
  return {
    modes: flags.modes ?? MODES,
    works: await planWorks(flags, preset),
    latencies: flags.latency ?? (asItIs ? [0] : preset.latencies),
    repeat: flags.repeat,
    batchSize: flags["batch-size"] ?? preset.batchSize,
    workers: flags.workers,
    engine: flags.engine,
  };
}
