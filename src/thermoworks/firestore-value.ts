/**
 * Readers of `google.firestore.v1.Value` in its JSON form. A value comes from outside: each reader returns null for
 * anything it does not understand, and none throws.
 */

/** Fields of a document or map; a missing `fields` key is an empty map. */
export type Fields = Record<string, unknown>;

const DECIMAL = /^[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?$/;
const TIMESTAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The content of a one-key value such as `{"stringValue": "F"}`, whatever its key; undefined if there is none. */
function contentOf(value: unknown, ...keys: string[]): unknown {
  if (!isRecord(value)) return undefined;
  const key = keys.find((name) => Object.hasOwn(value, name));
  return key === undefined ? undefined : value[key];
}

/**
 * A finite number, from an integer (a string of digits, as documented, or a JSON number), a double or decimal text:
 * the same field changes between them from one poll to the next.
 */
export function numberOf(value: unknown): number | null {
  const content = contentOf(value, 'doubleValue', 'integerValue', 'stringValue');
  if (typeof content === 'string' && !DECIMAL.test(content.trim())) return null;
  if (typeof content !== 'string' && typeof content !== 'number') return null;
  const number = Number(content);
  return Number.isFinite(number) ? number : null;
}

/** True where a field holds something else than null: such a field without a number is malformed, not empty. */
export function isPresent(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length > 0 && !Object.hasOwn(value, 'nullValue');
}

export function textOf(value: unknown): string | null {
  const content = contentOf(value, 'stringValue');
  return typeof content === 'string' ? content : null;
}

/** A boolean, also where a third party wrote it as a number. */
export function booleanOf(value: unknown): boolean | null {
  const content = contentOf(value, 'booleanValue');
  if (typeof content === 'boolean') return content;
  const number = numberOf(value);
  return number === null ? null : number !== 0;
}

/** An instant cut to milliseconds, from a timestamp or from text. */
export function timeOf(value: unknown): Date | null {
  return parseTimestamp(contentOf(value, 'timestampValue', 'stringValue'));
}

/** RFC 3339 with 0 to 9 fraction digits, cut to milliseconds; of the years 1 to 9999 in UTC, which every store takes. */
export function parseTimestamp(text: unknown): Date | null {
  const parts = typeof text === 'string' ? TIMESTAMP.exec(text) : null;
  if (!parts) return null;
  const [, seconds = '', fraction = '', zone = ''] = parts;
  const time = new Date(`${seconds}.${fraction.slice(0, 3).padEnd(3, '0')}${zone}`);
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999 ? time : null;
}

export function mapOf(value: unknown): Fields {
  const content = contentOf(value, 'mapValue');
  return fieldsOf(content);
}

/** The fields of a document, or of a map's content. */
export function fieldsOf(holder: unknown): Fields {
  return isRecord(holder) && isRecord(holder.fields) ? holder.fields : {};
}

export function listOf(value: unknown): unknown[] {
  const content = contentOf(value, 'arrayValue');
  return isRecord(content) && Array.isArray(content.values) ? content.values : [];
}
