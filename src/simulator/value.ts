/** A Firestore value in its JSON form: exactly one key is set. */
export interface Value {
  stringValue?: string;
  integerValue?: string;
  doubleValue?: number | string;
  booleanValue?: boolean;
  timestampValue?: string;
  nullValue?: null;
  mapValue?: { fields?: Fields };
  arrayValue?: { values?: Value[] };
}
export type Fields = Record<string, Value>;

export type Plain = string | number | boolean | null | undefined | Date | Plain[] | { [key: string]: Plain };

/** Whole seconds have no fraction, as logger times on the wire. */
const isoTime = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

export const isoMicros = (micros: number): string =>
  `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;

/** Whole numbers become integers, other numbers float32 widened to double, as the cloud writes readings. */
function encode(value: Exclude<Plain, undefined>): Value {
  if (value === null) return { nullValue: null };
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { booleanValue: value };
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return { doubleValue: String(value) };
    return Number.isInteger(value) ? { integerValue: String(value) } : { doubleValue: Math.fround(value) };
  }
  if (value instanceof Date) return { timestampValue: isoTime(value.getTime()) };
  if (!Array.isArray(value)) return { mapValue: { fields: encodeFields(value) } };
  const values = value.flatMap((item) => (item === undefined ? [] : [encode(item)]));
  return { arrayValue: values.length > 0 ? { values } : {} };
}

/** Fields that are undefined are left out. */
export function encodeFields(plain: { [key: string]: Plain }): Fields {
  const fields: Fields = {};
  for (const [name, value] of Object.entries(plain)) if (value !== undefined) fields[name] = encode(value);
  return fields;
}

/** Rounded to 0.01, half away from zero; 1e-6 absorbs the float32 noise of an exact half. */
export const hundredths = (value: number): number =>
  (Math.sign(value) * Math.floor(Math.abs(value) * 100 + 0.5 + 1e-6)) / 100;
