import type { Column, Result } from "./measure.ts";
import type { Peer } from "./peer.ts";

/**
 * The comparison as a Markdown table: the figures of the first peer, and of each other how many
 * times as much it took. The best of each column is bold.
 */
export function formatComparison(all: readonly Peer[], columns: readonly Column[]): string {
  const notes = new Set<string>();
  const peers = all.filter((peer) => columns.some(({ results }) => results.has(peer)));
  const [first] = peers;

  function cell({ show, results }: Column, peer: Peer): string {
    const result = results.get(peer);
    if (result === undefined) return "–";
    const text = peer === first
      ? show(result.figure)
      : `${(result.figure / results.get(first)!.figure).toFixed(2)}×`;
    return (isBest(result, results) ? `**${text}**` : text) + mark(result, results, notes);
  }

  const rows = [
    ["", ...columns.map(({ title }) => title)],
    ...peers.map((peer) => [peer.name, ...columns.map((column) => cell(column, peer))]),
  ];
  return [
    ...align(rows),
    "",
    `The first line is ${first.name}; ×: how many times as much the others took, medians of interleaved runs.`,
    "Bold: the best.",
    ...notes,
    "",
    ...peers.map(({ name, setup }) => `- ${name}: ${setup}`),
  ].join("\n");
}

/** One that loses rows is not the best, however fast. */
function isBest({ figure, wrong }: Result, results: Column["results"]): boolean {
  const sound = [...results.values()].filter(({ wrong }) => wrong === 0);
  return wrong === 0 && sound.every((other) => figure <= other.figure);
}

function mark({ runs, wrong }: Result, results: Column["results"], notes: Set<string>): string {
  let marks = "";
  if (wrong > 0) {
    notes.add("†: it lost or doubled rows, so this figure is worth nothing.");
    marks += " †";
  }
  const most = Math.max(...[...results.values()].map(({ runs }) => runs));
  if (runs < most) {
    notes.add("¹: one run only, as it takes longer than 5 seconds.");
    marks += " ¹";
  }
  return marks;
}

/** As `deno fmt` has it: columns of one width, names to the left and figures to the right. */
function align([head, ...rows]: readonly string[][]): string[] {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((cells) => cells[i].length)));
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join(
        " | ",
      )
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [line(head), line(rule), ...rows.map(line)];
}
