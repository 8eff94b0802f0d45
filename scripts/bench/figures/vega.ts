/**
 * A program of its own: reads Vega-Lite specifications as a JSON array from its standard input, and
 * writes their SVG as one.
 *
 * The figures' libraries come from here only, with a lock file of their own: one that is in the
 * project's would have everybody download them, needed or not. So their names must not be seen where
 * the project is checked, and their types are told here.
 */
const VEGA = "npm:vega@6.4.0";
const VEGA_LITE = "npm:vega-lite@6.5.0";

interface Vega {
  parse(spec: unknown): unknown;
  View: new (runtime: unknown, options: object) => {
    toSVG(): Promise<string>;
    finalize(): void;
  };
}

interface VegaLite {
  compile(spec: unknown): { spec: unknown };
}

const vega: Vega = await import(VEGA);
const { compile }: VegaLite = await import(VEGA_LITE);
const specs: unknown[] = await new Response(Deno.stdin.readable).json();
const figures = [];
for (const spec of specs) {
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: "none" });
  figures.push(await view.toSVG());
  view.finalize();
}
await new Blob([JSON.stringify(figures)]).stream().pipeTo(Deno.stdout.writable);
