/**
 * Values as a PostgreSQL array, in a fraction of the time that `pg` takes for one: numbers, booleans and words of our own
 * (no quotes, commas or braces), never text from outside.
 */
export function arrayOf(values: readonly (number | boolean | string | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/**
 * SQL for many numbers as one column, a JSON array. `pg` builds rows of up to 16 columns; those of more it builds as
 * dictionaries, which cost several times as much to make and to read.
 */
export const numbersOf = (...columns: string[]): string => `to_json(ARRAY[${columns.join(', ')}]::float8[])`;

/** SQL for a time as whole epoch milliseconds, a JavaScript number. */
export const epochMs = (column: string): string => `round(date_part('epoch', ${column}) * 1000)`;
