import { assertEquals, assertThrows } from "@std/assert";
import { parseFlags } from "../scripts/cli/parse_flags.ts";
import { UsageError } from "../scripts/cli/run.ts";
import { INPUT_FLAGS, planInput } from "../scripts/input/flags.ts";

const plan = (path: string, ...args: string[]) => planInput(path, parseFlags(args, INPUT_FLAGS));

Deno.test("planInput() renames columns on their way", () => {
  const { columns, saved } = plan("a.csv", "--id", "user_id=ID", "--columns", "mail=E-Mail,city");
  assertEquals(columns, { id: "ID", password: "password", carried: ["E-Mail", "city"] });
  assertEquals(saved, { id: "user_id", carried: ["mail", "city"] });
});

Deno.test("planInput() takes the delimiter from the flag, or from the name", () => {
  assertEquals(plan("a.tsv").delimiter, "\t");
  assertEquals(plan("a.tsv", "--delimiter", ";").delimiter, ";");
  assertEquals(plan("a.csv", "--delimiter", "\\t").delimiter, "\t");
  assertEquals(plan("a.csv").delimiter, undefined);
});

Deno.test("planInput() refuses what cannot work", () => {
  const cases: [string[], string][] = [
    [[""], "without an INPUT"],
    [["a.csv", "--delimiter", ";;"], "--delimiter must be one character"],
    [["a.csv", "--delimiter", '"'], "--delimiter must be one character"],
    [["a.json", "--delimiter", ";"], "--delimiter needs an input of CSV"],
    [["a.txt", "--columns", "x"], "--columns needs an input with columns"],
    [["a.csv", "--columns", "x=password"], "would be saved in plain text"],
    [["a.csv", "--columns", "x=y=z"], "--columns must name columns"],
    [["a.csv", "--id", "=x"], "--id must name columns"],
    [["a.csv", "--id", "x=password"], "must name different columns"],
  ];
  for (const [[path, ...args], why] of cases) {
    assertThrows(() => plan(path, ...args), UsageError, why);
  }
});
