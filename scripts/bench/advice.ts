import { MODES } from "./modes.ts";
import { blocksOf, type Report, type Result } from "./report.ts";
import { wordsOf } from "./work.ts";

/** What to do on this machine, in a sentence; in one for each mode, if costs or latencies differ. */
export function advise(report: Report): string[] {
  const words = wordsOf(report.work);
  const blocks = blocksOf(report.results);
  const best = blocks.flatMap((block) => block.filter(({ recommended }) => recommended));
  if (best.length === 0) {
    return ["Run two or more modes that save to PostgreSQL to be told which to choose"];
  }
  return [...Map.groupBy(best, ({ mode }) => mode)].map(([name, results]) => {
    const { describe } = MODES.find((mode) => mode.name === name)!;
    const where = results.length === blocks.length ? "" : ` ${results.map(place).join(", ")},`;
    const faster = results.flatMap(({ speedup }) => speedup === null ? [] : [speedup]);
    const over = results.flatMap(({ overFloor }) => overFloor === null ? [] : [overFloor]);
    const gains = [
      ...name === "serial" || faster.length === 0
        ? []
        : [`${range(faster, 1)} times as fast as serial`],
      ...over.length === 0
        ? []
        : [`${range(over, 2)} times as long as ${words.computing} without saving`],
    ];
    return `On this machine,${where} ${describe(words)} (${name})${
      gains.length === 0 ? "" : `: ${gains.join(", ")}`
    }`;
  });
}

function place({ cost, latencyMs }: Result): string {
  return `at ${cost === null ? "" : `cost ${cost} and `}${latencyMs} ms`;
}

/** The least and the most of some numbers, or one if they look the same. */
function range(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((x) => x.toFixed(digits));
  return least === most ? least : `${least} to ${most}`;
}
