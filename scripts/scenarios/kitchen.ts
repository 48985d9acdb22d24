/** °C at minutes since a scenario begins. */
export type Heat = (minute: number) => number;
/** What a probe shows, in °C; null: it is not plugged in. */
export type Curve = (minute: number) => number | null;
export type Span = readonly [from: number, to: number];

/** Minutes between two states of what is computed step by step. */
export const STEP = 1 / 6;

export const isWithin = (minute: number, spans: readonly Span[]): boolean =>
  spans.some(([from, to]) => minute >= from && minute < to);

/** A number from 0 to 1 for each index, the same for the same words whoever asks and in whatever order. */
export function chances(words: string): (index: number) => number {
  let seed = 1;
  for (let at = 0; at < words.length; at++) seed = Math.imul(seed ^ words.charCodeAt(at), 0x9e3779b1);
  return (index) => {
    let hash = Math.imul(seed ^ index, 0x9e3779b1);
    for (const shift of [15, 13, 16]) hash = Math.imul(hash ^ (hash >>> shift), 0x85ebca6b);
    return ((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** From -1 to 1, mostly near 0. */
export function jitter(words: string): (index: number) => number {
  const chance = chances(words);
  return (index) => (chance(3 * index) + chance(3 * index + 1) + chance(3 * index + 2)) / 1.5 - 1;
}

function integrate(first: number, rate: (value: number, minute: number) => number): Heat {
  const values = [first];
  return (minute) => {
    const index = Math.max(0, Math.round(minute / STEP));
    for (let at = values.length; at <= index; at++) {
      const value = values[at - 1] ?? first;
      values.push(value + rate(value, at * STEP) * STEP);
    }
    return values[index] ?? first;
  };
}

interface Fire {
  /** From each minute on: the temperature that the fire is held at; null: it is out. */
  steps: readonly (readonly [minute: number, celsius: number | null])[];
  room?: number | Heat;
  /** Minutes until 63 % of a change have come about. */
  rise?: number;
  cool?: number;
  /** ± °C, and how many minutes a swing takes. */
  swing?: readonly [celsius: number, minutes: number];
  lids?: readonly Span[];
}

/** The air over a fire. */
export function fire({ steps, room = 20, rise = 8, cool = 40, swing = [0, 1], lids = [] }: Fire): Heat {
  const roomAt = typeof room === 'number' ? () => room : room;
  return integrate(roomAt(0), (value, minute) => {
    const held = steps.findLast(([from]) => minute >= from)?.[1] ?? null;
    if (isWithin(minute, lids)) return (roomAt(minute) - value) / 8;
    if (held === null) return (roomAt(minute) - value) / cool;
    const target = held + swing[0] * Math.sin((2 * Math.PI * minute) / swing[1]);
    return (target - value) / (target > value ? rise : Math.min(cool, 2 * rise));
  });
}

interface Roast {
  /** When it goes on the fire, and when it leaves it. */
  into: number;
  out: number;
  /** °C when it goes on. */
  from?: number;
  /** As `rise` of a fire: over it, and at rest. */
  tau: number;
  rest?: number;
  /** It stalls at about 70 °C until it is wrapped. */
  wrapped?: number;
  room?: number;
}

/** The middle of a piece of meat; before it goes on, the probe lies beside it. */
export function roast(
  air: Heat,
  { into, out, from = 4, tau, rest = tau, wrapped = 0, room = 20 }: Roast,
): Heat {
  const core = integrate(from, (value, minute) => {
    if (minute < into) return 0;
    if (minute >= out) return (room - value) / rest;
    const sweat = minute < wrapped ? 0.92 * Math.exp(-(((value - 71) / 5) ** 2)) : 0;
    return ((air(minute) - value) / tau) * (1 - sweat);
  });
  return (minute) => (minute < into ? room : core(minute));
}

/** The sun on something dark: `low` at minute 0, `high` twelve hours later. */
export const day =
  (low: number, high: number): Heat =>
  (minute) =>
    low + ((high - low) * (1 - Math.cos((2 * Math.PI * minute) / 1440))) / 2;

export const pulled =
  (curve: Curve, from: number, to = Number.POSITIVE_INFINITY): Curve =>
  (minute) =>
    minute >= from && minute < to ? null : curve(minute);

/** `first` until `minute`, then `second`. */
export const switched =
  (first: Curve, minute: number, second: Curve): Curve =>
  (at) =>
    at < minute ? first(at) : second(at);

/** Steps of a fire that is held at one temperature. */
export const held = (on: number, celsius: number, off: number) =>
  [
    [on, celsius],
    [off, null],
  ] as const;

/** An open lid for five minutes, again and again. */
export const lids = (from: number, to: number, every = 60): Span[] =>
  Array.from({ length: Math.ceil((to - from) / every) }, (_, index) => [
    from + index * every,
    from + index * every + 5,
  ]);
