import { Console } from "node:console";
import process from "node:process";

/**
 * Has what a module of the user's prints on this thread come out at the standard error: on the
 * standard output there is the report, which other programs may read.
 *
 * @returns Undoes it.
 */
export function divertOutput(): () => void {
  const own = { ...console };
  const { stdout } = Deno;
  const { write } = process.stdout;
  const { error: _, warn: __, ...diverted } = new Console(process.stderr);
  Object.assign(console, diverted);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  Object.defineProperty(Deno, "stdout", { value: Deno.stderr });
  return () => {
    Object.assign(console, own);
    process.stdout.write = write;
    Object.defineProperty(Deno, "stdout", { value: stdout });
  };
}
