/** Chance that a seed repeats. */
export interface Chance {
  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number;
  pick<T>(list: readonly T[]): T;
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const below = (bound: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
  const pick = <T>(list: readonly T[]): T => {
    const found = list[below(list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  };
  return { below, pick };
}

/** Stands for JSON text that no value of ours prints as. */
const raw = (text: string) => `@raw:${text}@`;
const words = (text: string) => text.trim().split(/\s+/);
const x = (times: number, text = 'x') => text.repeat(times);

const DIGITS =
  words(`0 -0 -0.0 1 -1 72 189 32768 -32769 2147483648 9007199254740993 1e21 5e-324 1e-7 1e400 -1e400
  3.4028234663852886e38 3.4028235e38 3.4028235677e38 -3.4028235677e38 3.5e38 1.7e308 72.4 -40 1e3 ${x(40, '9')}`);
const NUMBERS = [
  ...DIGITS.map(raw),
  ...DIGITS,
  ...words('NaN Infinity -Infinity 0x10 .5 5. 1,5 ٧٢ null true'),
];
const TEXTS = [
  ...words(
    'F C H K f NORMAL OFFLINE datalogger humidity __proto__ <!channel> =HYPERLINK("x") ../../etc 😀 \ufeff \uffff',
  ),
  ...['', ' ', 'NO PROBE', 'rfx meat', '\0', 'a\0b', '\ud800', 'a\udfff\ud800b', '\u202eabc', '\x1b[31mred'],
  ...[x(60, '😀'), x(41), x(51), x(101), x(1_001, 'é'), x(20_000)],
];
export const TIMES =
  words(`0000-01-01T00:00:00Z 0001-01-01T00:00:00+14:00 0001-01-01T00:00:00Z 1969-12-31T23:59:59.999Z
  9999-12-31T23:59:59.999999999Z 9999-12-31T23:59:59-12:00 +275760-09-13T00:00:00Z 2014-12-31T23:59:59Z 2026-11-20
  2015-01-01T00:00:00Z 2026-02-30T00:00:00Z 2026-11-20T24:00:00Z 2026-11-20T10:15:60Z 2026-11-20T10:15:40,470Z
  2026-11-20T10:15:40.470+05:30 2026-11-20T10:15:40.1234567890Z 1795169740470 2026-11-20T10:15:40.470Z
  2026-11-20T10:17:59Z 2026-11-20T10:18:01Z 2026-11-21T10:16:00Z 2026-11-22T00:00:00Z`);
const PATHS =
  words(`devices/M1 devices/M1/channels/1 devices/M1/channels/9 devices//channels/1 devices users/u devices/ä
  devices/${x(51)} devices/M1/channels/1/more/2 devices/%2e%2e devices/..`).map(
    (path) => `projects/demo-cloud/databases/(default)/documents/${path}`,
  );
const KEYS =
  words(`stringValue doubleValue integerValue booleanValue timestampValue nullValue mapValue arrayValue
  bytesValue fields values name updateTime __proto__ constructor toString value units status label type device lastSeen
  lastTelemetrySaved v ts u`);

interface Slot {
  holder: object;
  key: string;
}

function slotsOf(value: unknown, found: Slot[] = []): Slot[] {
  if (typeof value !== 'object' || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value, key });
    slotsOf(Reflect.get(value, key), found);
  }
  return found;
}

/** As an own property, `__proto__` too. */
const put = ({ holder, key }: Slot, value: unknown) =>
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });

const scalar = (chance: Chance): unknown => chance.pick(chance.pick([NUMBERS, TEXTS, TIMES, PATHS]));

function nested(chance: Chance): unknown {
  let value: unknown = scalar(chance);
  for (let depth = chance.pick([1, 2, 10, 30, 200]); depth > 0; depth -= 1)
    value = depth % 2 === 0 ? { mapValue: { fields: { x: value } } } : { arrayValue: { values: [value] } };
  return value;
}

/** What becomes of one place; `other` is another place of the same document. */
const STEPS: ((slot: Slot, chance: Chance, other: Slot) => void)[] = [
  ({ holder, key }) => Reflect.deleteProperty(holder, key),
  (slot, chance) => put(slot, scalar(chance)),
  (slot, chance) => put(slot, scalar(chance)),
  (slot, chance) => put(slot, { [chance.pick(KEYS)]: scalar(chance) }),
  ({ holder }, chance) => put({ holder, key: chance.pick(KEYS) }, scalar(chance)),
  (slot, chance) =>
    put(slot, {
      timestampValue: new Date(chance.below(2 ** 31) * 1_000 + chance.below(1_000)).toISOString(),
    }),
  (slot, chance) =>
    put(slot, { doubleValue: (chance.below(2 ** 31) - 2 ** 30) / chance.pick([1, 100, 1e4, 1e6]) }),
  (slot, _, other) => put(slot, JSON.parse(JSON.stringify(Reflect.get(other.holder, other.key)) ?? 'null')),
  (slot, chance) => put(slot, chance.below(20) === 0 ? nested(chance) : []),
  ({ holder, key }, chance) => {
    const value: unknown = Reflect.get(holder, key);
    const list = Array.isArray(value) ? value : [value];
    const times = chance.below(200) === 0 ? 2_500 : chance.below(4);
    put({ holder, key }, Array.from({ length: times }, () => list).flat());
  },
  ({ holder, key }, chance) => {
    const value: unknown = Reflect.get(holder, key);
    const text = (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 200);
    const cut = chance.below(text.length + 1);
    put({ holder, key }, text.slice(0, cut) + chance.pick(TEXTS) + text.slice(cut + chance.below(3)));
  },
];

/** The document with one to four places changed, as the JSON text that the cloud would send. */
export function mutate(document: object, chance: Chance): string {
  const changed: object = JSON.parse(JSON.stringify(document));
  for (let left = 1 + chance.below(4); left > 0; left -= 1) {
    const slots = slotsOf(changed);
    if (slots.length === 0) break;
    chance.pick(STEPS)(chance.pick(slots), chance, chance.pick(slots));
  }
  return JSON.stringify(changed).replace(/"@raw:([^"@]*)@"/g, '$1');
}

/** Text that was cut or changed on the way: mostly no JSON any more. */
export function tear(text: string, chance: Chance): string {
  const at = chance.below(text.length);
  return chance.below(2) === 0
    ? text.slice(0, at)
    : text.slice(0, at) + chance.pick(['"', '{', ']', ',', '\\u0000', '\0', '9', '\\']) + text.slice(at + 1);
}
