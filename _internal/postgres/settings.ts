/**
 * Sets, until the end of the transaction, what would otherwise change the meaning of values, and stands
 * in FROM before what depends on it: `array_nulls=off` makes a text of NULL, and with fewer digits two
 * numbers look the same. A pooler lets a setting get no further than this.
 *
 * How dates are read is left to the server (`DateStyle`, `TimeZone`): those of ours are in ISO 8601.
 */
export const PINNED = `(
  select set_config('array_nulls', 'on', true) as nulls, set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true)) as pinned`;
