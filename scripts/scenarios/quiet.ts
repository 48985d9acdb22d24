import { day, fire, held, roast } from './kitchen.js';
import { C, F, type Scenario } from './scenario.js';

const defrost = (minute: number): number => {
  const at = (minute + 100) % 360;
  return at < 25 ? 3 + at * 0.44 : 3 + 11 * Math.exp((25 - at) / 15);
};

/** What is no cook, or cannot be told from none. */
export const QUIET: Scenario[] = [
  {
    name: 'cold-smoke',
    about: 'Bacon in smoke of 25 °C for eight hours: begun by hand, or not seen',
    rules: 'cold smoke',
    ...{ begins: '2026-02-21T08:00:00+01:00', hours: 12, unit: C },
    probes: {
      1: { shows: fire({ steps: held(60, 26, 540), room: 8, swing: [2, 30] }), role: 'pit' },
      2: { shows: roast(() => 22, { into: 60, out: 545, tau: 400, room: 8 }), role: 'food' },
    },
    sessions: [],
  },
  {
    name: 'sunny-closed-smoker',
    about: 'A black smoker in the sun for two days: 58 °C inside, a forgotten probe at 48',
    rules: 'baseline, pit start',
    ...{ begins: '2026-07-06T03:00:00-05:00', hours: 48, unit: F },
    probes: { 1: { shows: day(12, 58), role: 'pit' }, 2: { shows: day(12, 48) } },
    sessions: [],
  },
  {
    name: 'walk-in-cooler',
    about: 'A cooler that defrosts every six hours, watched by a thermometer for cooks',
    rules: 'pit start, food start',
    ...{ begins: '2026-03-02T00:00:00-05:00', hours: 30, unit: F },
    probes: { 1: { shows: defrost }, 2: { shows: (m) => 2 + defrost(m + 3) / 3 } },
    sessions: [],
  },
  {
    name: 'yoghurt',
    about: 'Milk at 43 °C for eight hours: warm, but never a cook',
    rules: 'food start',
    ...{ begins: '2026-03-07T20:00:00+01:00', hours: 12, unit: C },
    probes: { 1: { shows: fire({ steps: held(30, 43, 510), room: 20, rise: 20, cool: 90 }) } },
    sessions: [],
  },
];
