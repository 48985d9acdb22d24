import type { ProbeRole } from '../../src/readings/sample.js';
import type { TemperatureUnit } from '../../src/readings/temperature.js';
import type { Curve, Span } from './kitchen.js';

interface Probe {
  shows: Curve;
  /** As the user set it; else it is guessed. */
  role?: ProbeRole;
  /** ± °C of what it shows. */
  noise?: number;
}

/** What the rules say of a cook: bounds in minutes since the scenario begins, for readings without a break. */
export interface Expected {
  start: Span;
  end: Span;
  reason: 'cooled' | 'unplugged' | 'lost_contact' | 'too_long';
  status?: 'cancelled';
  /** `probe role` of each. */
  members: string[];
}

export interface Scenario {
  name: string;
  /** What happens. */
  about: string;
  /** Those that decide, by name. */
  rules: string;
  /** Minute 0, with the offset that the clock on the wall has. */
  begins: string;
  hours: number;
  /** What the device shows; the session is kept in that of minute 0. */
  unit: (minute: number) => TemperatureUnit;
  probes: Record<string, Probe>;
  /** When nothing arrives. */
  silent?: readonly Span[];
  battery?: (minute: number) => number;
  /** The minute from which on the clock on the wall has this offset. */
  clock?: readonly [minute: number, offset: string];
  /** Of an ALERTS.json: those that were there before the first reading. */
  alerts?: readonly object[];
  sessions: Expected[];
}

export const F = () => 'F' as const;
export const C = () => 'C' as const;

/** A cook that ends as its fire cools. */
export const cooled = (start: Span, end: Span, ...members: string[]): Expected => ({
  ...{ start, end, reason: 'cooled', members },
});
