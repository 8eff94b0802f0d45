/**
 * The price of an Asian call, which pays what the mean of `fixings` prices is above the strike, and
 * its standard error. There is no formula for it, so it is simulated.
 */
export default function optionPrice(row: Record<string, string | null>) {
  const number = (name: string, isFine = (value: number) => value > 0) => {
    const value = Number(row[name] ?? NaN);
    if (Number.isFinite(value) && isFine(value)) return value;
    throw new RangeError(`Cannot price an option as its ${name} is ${row[name]}`);
  };
  const [spot, strike, years] = [number("spot"), number("strike"), number("years")];
  const [rate, volatility] = [number("rate", () => true), number("volatility")];
  const fixings = number("fixings", (value) => value > 0 && Number.isInteger(value));
  const pairs = 20_000;
  const drift = (rate - volatility ** 2 / 2) * years / fixings;
  const spread = volatility * Math.sqrt(years / fixings);
  const random = mulberry32(1); // The same draws for each option make their prices comparable.
  let sum = 0, squares = 0;
  for (let pair = 0; pair < pairs; pair++) {
    let up = spot, down = spot, ups = 0, downs = 0;
    for (let i = 0; i < fixings; i++) {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      ups += up *= Math.exp(drift + spread * normal);
      downs += down *= Math.exp(drift - spread * normal); // The mirror image: less noise.
    }
    const pay = (Math.max(0, ups / fixings - strike) + Math.max(0, downs / fixings - strike)) / 2;
    sum += pay, squares += pay ** 2;
  }
  const [discount, mean] = [Math.exp(-rate * years), sum / pairs];
  const variance = Math.max(0, squares / pairs - mean ** 2) / pairs;
  return { price: discount * mean, standard_error: discount * Math.sqrt(variance) };
}

const mulberry32 = (state: number) => () => {
  let bits = state = state + 0x6d2b79f5 | 0;
  bits = Math.imul(bits ^ bits >>> 15, bits | 1);
  bits ^= bits + Math.imul(bits ^ bits >>> 7, bits | 61);
  return ((bits ^ bits >>> 14) >>> 0) / 2 ** 32;
};
