import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type postgres from "postgres";
import optionPrice from "../examples/option_price.ts";
import { startEmbeddedServer } from "../scripts/database/embedded.ts";
import { ACCOUNT, needing } from "./_needs.ts";
import { withFolder, withSql } from "./fixtures/embedded_helpers.ts";

const ROOT = fileURLToPath(import.meta.resolve("../"));
const EXAMPLES = join(ROOT, "examples");

/** The formula in SQL that `examples/README.md` shows and that begins so. */
const formula = (readme: string, start: string) =>
  readme.split("`").find((code) => code.startsWith(start))!;

async function checkImages(sql: postgres.Sql, readme: string): Promise<void> {
  const rows = await sql`select id, width, height from images order by id`;
  assertEquals(rows.map(({ id, width, height }) => [id, Number(width), Number(height)]), [
    ["flower", 64, 48],
    ["flower-bright", 64, 48],
    ["mountain", 64, 48],
    ["mountain-grey", 64, 48],
    ["sunset", 64, 48],
    ["sunset-small", 40, 30],
  ]);
  const pairs = await sql.unsafe(
    `select a.id as one, b.id as other, ${formula(readme, "bit_count")} as bits
    from images a join images b on a.id < b.id`,
  );
  for (const { one, other, bits } of pairs) {
    const isCopy = other.startsWith(`${one}-`);
    assert(isCopy ? bits <= 4 : bits >= 16, `${one} and ${other} differ in ${bits} bits`);
  }
}

async function checkTexts(sql: postgres.Sql, readme: string): Promise<void> {
  const rows = await sql`select id, words, features from texts order by id`;
  assertEquals(rows.map(({ id, words }) => [Number(id), Number(words)]), [
    ...[[1, 15], [2, 12], [3, 10], [4, 9], [5, 12], [6, 11]],
  ]);
  for (const { features } of rows) {
    assertEquals(features.length, 256);
    assert(Math.abs(Math.hypot(...features) - 1) < 1e-9);
  }
  const nearest = await sql.unsafe(
    `select distinct on (a.id) a.id as one, b.id as other from texts a join texts b on a.id <> b.id
    order by a.id, ${formula(readme, "(select sum")} desc`,
  );
  assertEquals(nearest.map(({ one, other }) => [Number(one), Number(other)]), [
    ...[[1, 2], [2, 1], [3, 4], [4, 3], [5, 6], [6, 5]],
  ]);
}

/** The cumulative normal distribution, by integration. */
function normal(x: number): number {
  const step = (x + 10) / 2_000;
  let sum = 0;
  for (let at = -10 + step / 2; at < x; at += step) sum += Math.exp(-at * at / 2);
  return sum * step / Math.sqrt(2 * Math.PI);
}

/** What a call is worth whose payment depends on a price with this mean and this spread. */
function black(mean: number, spread: number, strike: number, discount: number): number {
  const d = Math.log(mean / strike) / spread + spread / 2;
  return discount * (mean * normal(d) - strike * normal(d - spread));
}

/** Between which formulas the price lies: the geometric mean is less than the mean, and that varies less than the last price. */
function bounds(option: Record<string, string>): [least: number, most: number] {
  const [spot, strike, rate, volatility, years, n] = [
    ...["spot", "strike", "rate", "volatility", "years", "fixings"],
  ].map((name) => Number(option[name]));
  const discount = Math.exp(-rate * years);
  const time = years * (n + 1) / (2 * n);
  const spread = volatility * Math.sqrt(years * (n + 1) * (2 * n + 1) / (6 * n * n));
  const mean = spot * Math.exp((rate - volatility ** 2 / 2) * time + spread ** 2 / 2);
  const european = black(spot / discount, volatility * Math.sqrt(years), strike, discount);
  return [black(mean, spread, strike, discount), european];
}

async function checkPrices(sql: postgres.Sql): Promise<void> {
  const [header, ...lines] = (await Deno.readTextFile(join(EXAMPLES, "options.csv"))).trim()
    .split("\n").map((line) => line.split(","));
  const rows = await sql`select id, price, standard_error from prices`;
  assertEquals(rows.map(({ id }) => id).sort(), lines.map(([id]) => id).sort());
  for (const line of lines) {
    const option = Object.fromEntries(header.map((name, i) => [name, line[i]]));
    const { price, standard_error } = rows.find(({ id }) => id === option.id)!;
    const [least, most] = bounds(option);
    const error = 4 * standard_error;
    assert(standard_error > 0 && standard_error < 0.05 * price, `${option.id}: ${standard_error}`);
    assert(
      price > least - error && price < most + error,
      `${option.id}: ${least} ${price} ${most}`,
    );
    // With one fixing, they are the same price.
    if (option.fixings === "1") assert(most - least < 1e-6);
  }
}

Deno.test({
  ...needing("examples/ save the rows that they should, as examples/README.md runs them", ACCOUNT),
  fn: () =>
    withFolder(async (folder) => {
      const readme = await Deno.readTextFile(join(EXAMPLES, "README.md"));
      const commands = [...readme.matchAll(/^deno (run .*)$/gm)].map(([, args]) => args.split(" "));
      const dataDir = join(folder, "data");
      const accounts: string[] = [];
      for (const args of commands) {
        const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: args.map((arg) => arg === "./data" ? dataDir : arg),
          cwd: ROOT,
          env: { NO_COLOR: "1", DATABASE_URL: "" },
        }).output();
        const decoder = new TextDecoder();
        assertEquals(code, 0, decoder.decode(stderr));
        accounts.push(decoder.decode(stdout).replaceAll(/ {2,}/g, " ").split("\n")[1]);
      }
      assertEquals(accounts.map((line) => line.trim()), ["saved 6", "saved 6", "saved 8"]);
      await using server = await startEmbeddedServer({ dataDir });
      await withSql(server.url, async (sql) => {
        await checkImages(sql, readme);
        await checkTexts(sql, readme);
        await checkPrices(sql);
      });
    }),
});

Deno.test({
  ...needing("examples/ are modules of less than forty lines"),
  async fn() {
    const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name);
    const modules = names.filter((name) => name.endsWith(".ts")).sort();
    assertEquals(modules, ["image_hash.ts", "option_price.ts", "text_features.ts"]);
    const readme = await Deno.readTextFile(join(EXAMPLES, "README.md"));
    for (const name of modules) {
      const text = await Deno.readTextFile(join(EXAMPLES, name));
      assert(text.split("\n").length <= 40, `${name}: ${text.split("\n").length} lines`);
      assert(readme.includes(`scripts/run.ts examples/${name} `), name);
    }
  },
});

Deno.test("optionPrice() refuses what is no option, by name", () => {
  const option = { spot: "1", strike: "1", rate: "0", volatility: "1", years: "1", fixings: "1" };
  assert(optionPrice(option).price > 0);
  const wrong: [name: string, value: string | null][] = [
    ["spot", "-1"],
    ["strike", "much"],
    ["rate", null],
    ["years", "0"],
    ["fixings", "2.5"],
  ];
  for (const [name, value] of wrong) {
    assertThrows(
      () => optionPrice({ ...option, [name]: value }),
      RangeError,
      `Cannot price an option as its ${name} is ${value}`,
    );
  }
});
