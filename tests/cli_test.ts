import { assert, assertEquals, assertThrows } from "@std/assert";
import FakeTimers from "@sinonjs/fake-timers";
import { closest } from "../scripts/cli/closest.ts";
import { alignTerms, wrap } from "../scripts/cli/columns.ts";
import { integer, text } from "../scripts/cli/flags.ts";
import { parseFlags } from "../scripts/cli/parse_flags.ts";
import { print } from "../scripts/cli/print.ts";
import { ScriptError, UsageError } from "../scripts/cli/run.ts";
import { Progress } from "../scripts/cli/progress.ts";

Deno.test("wrap() breaks between words, and leaves a long word whole", () => {
  assertEquals(wrap("a bc def", 4), ["a bc", "def"]);
  assertEquals(wrap("a bc def", 5), ["a bc", "def"]);
  assertEquals(wrap("postgres://localhost is it", 8), ["postgres://localhost", "is it"]);
  assertEquals(wrap("", 8), [""]);
});

Deno.test("alignTerms() keeps within the columns, and gives a long term a line", () => {
  const terms = [["--a", "one two three"], ["--long-one", "four"]] as const;
  assertEquals(alignTerms(terms, 15, 5), [
    "  --a  one two",
    "       three",
    "  --long-one",
    "       four",
  ]);
  assertEquals(alignTerms(terms, 40), ["  --a         one two three", "  --long-one  four"]);
});

const NO_TERMINAL = Deno.stderr.isTerminal() ? " (needs a standard error that is no terminal)" : "";

Deno.test(`Progress.bar() writes a line every five seconds${NO_TERMINAL}`, {
  ignore: NO_TERMINAL !== "",
}, () => {
  const clock = FakeTimers.install({ toFake: ["performance"] });
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => void lines.push(line);
  try {
    using progress = new Progress();
    for (let i = 0; i < 120; i++) {
      progress.bar(i / 120, `step ${i}`);
      clock.tick(100);
    }
    progress.say("said at once");
    clock.tick(5_000);
    progress.bar(undefined, "nobody knows of how much");
    assertEquals(lines, [
      "41%: step 50",
      "83%: step 100",
      "said at once",
      "nobody knows of how much",
    ]);
    assert(!lines.join("").includes("\x1b"));
  } finally {
    console.error = error;
    clock.uninstall();
  }
});

Deno.test("closest() finds what was mistyped, and nothing for what was not", () => {
  const words = ["count", "cost", "table", "database-url", "data-dir", "id"];
  const cases: [string, string | undefined][] = [
    ["cuont", "count"],
    ["Count", "count"],
    ["tabel", "table"],
    ["tabels", undefined],
    ["coun", "count"],
    ["ccount", "count"],
    ["database", "database-url"],
    ["url", "database-url"],
    ["datbase-rul", "database-url"],
    ["users", undefined],
    ["x", undefined],
  ];
  for (const [text, word] of cases) assertEquals(closest(text, words), word, text);
});

Deno.test("print() says that the standard output cannot be written", () => {
  const { log } = console;
  console.log = () => {
    throw Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  };
  try {
    assertThrows(
      () => print("x"),
      ScriptError,
      "Cannot write to the standard output as there is no space left on its disk",
    );
  } finally {
    console.log = log;
  }
});

Deno.test("parseFlags() names a flag whose value is empty", () => {
  const flags = { url: text("URL", "") };
  for (const args of [["--url", ""], ["--url="]]) {
    assertThrows(
      () => parseFlags(args, flags),
      UsageError,
      "Cannot run this as --url needs a value",
    );
  }
});

Deno.test("parseFlags() takes a negative number for the value of the flag before it", () => {
  const flags = { latency: integer("", 1, { min: 0 }), name: text("NAME", "") };
  assertEquals(parseFlags(["--name", "-1", "--latency", "2"], flags), { latency: 2, name: "-1" });
  assertThrows(
    () => parseFlags(["--latency", "-1"], flags),
    UsageError,
    "Cannot run this as --latency must be a whole number of at least 0, not '-1'",
  );
});
