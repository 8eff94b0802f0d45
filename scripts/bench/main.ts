import { WorkError, WorkerStartError } from "../../pool.ts";

import { compare, formatComparison, readEarlier } from "./compare.ts";
import { drawFigures } from "./figures/figures.ts";
import { FLAGS } from "./flags.ts";
import { prepareOutputs, writeFigures, writeReport } from "./page/files.ts";
import { makePage } from "./page/page.ts";
import { originOf } from "./origin.ts";
import { makePlan } from "./plan.ts";
import { environmentOf, makeReport } from "./report.ts";
import { measure, type Position } from "./runner.ts";
import { formatAdvice, formatReport } from "./table.ts";
import { Progress } from "../cli/progress.ts";
import { parseFlags } from "../cli/parse_flags.ts";
import { print } from "../cli/print.ts";
import { ScriptError } from "../cli/run.ts";
import { standardOutput } from "../cli/screen.ts";
import { openDatabase } from "../database/connect.ts";

export async function main(signal: AbortSignal, args: readonly string[]): Promise<void> {
  const flags = parseFlags(args, FLAGS);
  const earlier = flags.compare === undefined ? undefined : await readEarlier(flags.compare);
  const plan = await makePlan(flags);
  using progress = new Progress();
  await prepareOutputs(flags, { signal, onProgress: (message) => progress.say(message) });
  await using database = await openDatabase({
    url: flags["database-url"],
    onProgress: (message) => progress.say(message),
    signal,
  });
  // Before anything is measured, as it may lack a permission.
  const environment = environmentOf(database);
  const run = await originOf(args);
  const start = performance.now();
  const measured = await measure(database, plan, {
    signal,
    onProgress: (position) =>
      progress.bar(position.fraction, where(position, plan.repeat, performance.now() - start)),
  }).catch((error) => {
    if (error instanceof WorkerStartError || error instanceof WorkError) {
      throw new ScriptError(error.message);
    }
    throw database.explain(error);
  });
  const report = makeReport({ run, environment }, measured, plan);
  const comparison = earlier && compare(report, earlier, flags.compare!);
  progress[Symbol.dispose]();
  if (flags.json) print(JSON.stringify({ ...report, comparison }, null, 2));
  else {
    print(formatReport(report, { ...plan, screen: standardOutput() }));
    if (comparison !== undefined) {
      print(`
${formatComparison(comparison)}`);
    }
    print(formatAdvice(report, standardOutput()));
  }
  if (flags.report === undefined && flags.svg === undefined) return;
  const figures = await drawFigures(report, measured.measurements, { signal });
  if (flags.svg !== undefined) {
    await writeFigures(flags.svg, [...figures.blocks, figures.slowdowns].flat());
  }
  if (flags.report !== undefined) {
    const { repeat } = plan;
    await writeReport(flags.report, await makePage(report, { figures, repeat, comparison }));
  }
}

function where(
  { mode, cost, latencyMs, round, fraction }: Position,
  repeat: number,
  elapsed: number,
): string {
  const left = elapsed * (1 - fraction) / fraction / 1000;
  const time = left < 90 ? `${left.toFixed(0)} s` : `${(left / 60).toFixed(0)} min`;
  return `${mode.name}, ${
    cost === null ? "" : `cost ${cost}, `
  }${latencyMs} ms latency, run ${round} of ${repeat}, ${time} left`;
}
