import { fire, held, pulled, roast, type Span, switched } from './kitchen.js';
import { C, cooled, F, type Scenario } from './scenario.js';

const SMOKE = 121;
const pit = (off: number, more: { cool?: number; lids?: Span[]; room?: number } = {}) =>
  fire({ steps: held(60, SMOKE, off), swing: [4, 20], ...more });

const six = pit(420);
const ten = pit(660, { lids: [[300, 304]] });
const five = fire({ steps: held(30, 150, 300), swing: [5, 25], room: 16 });
const EMBERS = { cool: 120, room: 28, swing: [4, 20] } as const;
const both = cooled([60, 64], [420, 435], '1 pit', '2 food');

/** Cooks in which something goes wrong, or goes on. */
export const ODD: Scenario[] = [
  {
    name: 'dropout-45-minutes',
    about: 'The router is off for 45 minutes: paused, and the same cook afterwards',
    rules: 'lost contact',
    ...{ begins: '2026-06-06T06:00:00+00:00', hours: 9, unit: F, silent: [[200, 245]] },
    probes: { 1: { shows: six }, 2: { shows: roast(six, { into: 75, out: 425, tau: 280 }) } },
    sessions: [both],
  },
  {
    name: 'dropout-3-hours',
    about: 'Nothing for three hours: contact counts as lost after two, and the same cook reopens',
    rules: 'lost contact',
    ...{ begins: '2026-06-07T06:00:00+00:00', hours: 9, unit: F, silent: [[130, 310]] },
    probes: { 1: { shows: six }, 2: { shows: roast(six, { into: 75, out: 425, tau: 280 }) } },
    sessions: [both],
  },
  {
    name: 'fire-sags',
    about: 'The fire sags to 68 °C for an hour, not quite half its height, until there is new wood: no end',
    rules: 'cooling',
    ...{ begins: '2026-10-10T09:00:00-05:00', hours: 9, unit: F },
    probes: {
      1: {
        shows: fire({
          steps: [
            [60, SMOKE],
            [240, 68],
            [335, SMOKE],
            [420, null],
          ],
          swing: [2, 20],
        }),
      },
    },
    sessions: [cooled([60, 64], [420, 435], '1 pit')],
  },
  {
    name: 'probe-swapped',
    about: 'The probe leaves the wings that are done, is wiped, and goes into a cold shoulder',
    rules: 'joining, steady heat is no end, handling',
    ...{ begins: '2026-09-12T10:00:00-05:00', hours: 9, unit: F },
    probes: {
      1: { shows: six, role: 'pit' },
      2: {
        shows: switched(
          pulled(roast(six, { into: 75, out: 190, tau: 90 }), 190, 193),
          193,
          roast(six, { into: 193, out: 425, from: 3, tau: 260 }),
        ),
        role: 'food',
      },
    },
    sessions: [both],
  },
  {
    name: 'hand-over',
    about:
      'The first cook takes his meat off; the second puts hers on the same fire. Handing over is `session split --at`: the trace alone stays one cook',
    rules: 'steady heat is no end, shared device',
    ...{ begins: '2026-09-19T07:00:00-05:00', hours: 13, unit: F },
    probes: {
      1: { shows: ten, role: 'pit' },
      2: { shows: pulled(roast(ten, { into: 75, out: 300, tau: 140 }), 300), role: 'food' },
      3: { shows: pulled(roast(ten, { into: 330, out: 665, tau: 260 }), 0, 330), role: 'food' },
    },
    sessions: [cooled([60, 64], [660, 675], '1 pit', '2 food', '3 food')],
  },
  {
    name: 'unit-switched',
    about: 'The unit is switched from Fahrenheit to Celsius in the middle: the figures do not notice',
    rules: 'pit start, cooling, units',
    ...{ begins: '2026-06-27T09:00:00-04:00', hours: 9, unit: (minute) => (minute < 210 ? 'F' : 'C') },
    probes: { 1: { shows: six }, 2: { shows: roast(six, { into: 75, out: 425, tau: 280 }) } },
    sessions: [both],
  },
  {
    name: 'pit-probe-joins-late',
    about:
      'The meat is watched from the start; the pit probe is plugged in when the kettle has been hot for 45 minutes',
    rules: 'pit start, back-dating, joining',
    ...{ begins: '2026-05-02T12:00:00+02:00', hours: 9, unit: C },
    probes: {
      1: { shows: pulled(five, 0, 75), role: 'pit' },
      2: { shows: roast(five, { into: 20, out: 305, tau: 330, room: 16 }), role: 'food' },
    },
    sessions: [cooled([75, 76], [300, 314], '1 pit', '2 food')],
  },
  {
    name: 'noisy-sensor',
    about: 'A pit probe with a bad plug: ± 4 °C, now and then nothing, now and then 60 °C too little',
    rules: 'pit start, steady heat is no end, cooling',
    ...{ begins: '2026-06-14T08:00:00-05:00', hours: 9, unit: F },
    probes: {
      1: { shows: (m) => (m % 37 < 0.5 ? null : six(m) - (m > 90 && m % 23 < 0.5 ? 60 : 0)), noise: 4 },
      2: { shows: roast(six, { into: 75, out: 425, tau: 280 }), noise: 1 },
    },
    sessions: [cooled([60, 64], [410, 435], '1 pit', '2 food')],
  },
  {
    name: 'zero-trap',
    about: 'Two unused channels show exactly 0 °F all day, and the pit does so twice',
    rules: 'joining, zero trap',
    ...{ begins: '2026-06-21T08:00:00-05:00', hours: 9, unit: F },
    probes: {
      1: { shows: (m) => (m === 200 || m === 310 ? -160 / 9 : six(m)), noise: 0 },
      2: { shows: roast(six, { into: 75, out: 425, tau: 280 }) },
      3: { shows: () => -160 / 9, noise: 0 },
      4: { shows: () => -160 / 9, noise: 0 },
    },
    sessions: [both],
  },
  {
    name: 'unplugged',
    about: 'The fire goes on, but all probes are pulled and put away',
    rules: 'unplugged',
    ...{ begins: '2026-07-25T11:00:00-05:00', hours: 8, unit: F },
    probes: {
      1: { shows: pulled(six, 300) },
      2: { shows: pulled(roast(six, { into: 75, out: 425, tau: 280 }), 298) },
    },
    sessions: [{ ...cooled([60, 64], [299, 300], '1 pit', '2 food'), reason: 'unplugged' }],
  },
  {
    name: 'battery-death',
    about: 'The battery runs down and the device falls silent for good',
    rules: 'lost contact',
    ...{ begins: '2026-07-26T11:00:00-05:00', hours: 10, unit: F, silent: [[300, 600]] },
    battery: (minute) => 31 - minute / 10,
    probes: { 1: { shows: six }, 2: { shows: roast(six, { into: 75, out: 425, tau: 280 }) } },
    sessions: [{ ...cooled([60, 64], [299, 300], '1 pit', '2 food'), reason: 'lost_contact' }],
  },
  {
    name: 'embers-stirred',
    about: 'Embers are stirred after the end: 13 °C more are no second cook',
    rules: 'cooling, re-arming',
    ...{ begins: '2026-08-15T15:00:00-05:00', hours: 10, unit: F },
    probes: {
      1: {
        shows: fire({ steps: [...held(60, SMOKE, 300), [440, 70], [460, null]], ...EMBERS }),
        role: 'pit',
      },
    },
    sessions: [cooled([60, 64], [300, 335], '1 pit')],
  },
  {
    name: 'fired-up-again',
    about: 'After the end, with the embers still at 57 °C, new coals: a second cook',
    rules: 'cooling, re-arming',
    ...{ begins: '2026-08-16T15:00:00-05:00', hours: 13, unit: F },
    probes: {
      1: {
        shows: fire({ steps: [...held(60, SMOKE, 300), [445, 150], [600, null]], ...EMBERS }),
        role: 'pit',
      },
    },
    sessions: [cooled([60, 64], [300, 335], '1 pit'), cooled([440, 450], [600, 635], '1 pit')],
  },
  {
    name: 'false-start',
    about: 'The fire is out after ten minutes: a cook of less than 20 minutes is cancelled and hidden',
    rules: 'too short',
    ...{ begins: '2026-07-28T18:00:00-05:00', hours: 4, unit: F },
    probes: { 1: { shows: fire({ steps: held(30, 200, 40), cool: 20 }), role: 'pit' } },
    sessions: [{ ...cooled([30, 33], [38, 48], '1 pit'), status: 'cancelled' }],
  },
  {
    name: 'switched-on-hot',
    about:
      'The thermometer is switched on when the grill has long been hot: the cook begins with its first reading',
    rules: 'roles, baseline, pit start',
    ...{ begins: '2026-08-01T18:00:00-05:00', hours: 6, unit: F },
    probes: {
      1: { shows: fire({ steps: held(0, 200, 90), swing: [4, 10], room: (m) => (m < 1 ? 200 : 22) }) },
    },
    sessions: [cooled([0, 1], [90, 105], '1 pit')],
  },
  {
    name: 'sous-vide',
    about: 'A bath that is held at 57 °C for five hours: never as hot as a pit',
    rules: 'roles, food start, cooling',
    ...{ begins: '2026-02-14T12:00:00+01:00', hours: 10, unit: C },
    probes: { 1: { shows: fire({ steps: held(60, 57, 420), room: 20, rise: 25, cool: 200 }), noise: 0.1 } },
    sessions: [cooled([63, 70], [480, 505], '1 food')],
  },
  {
    name: 'target-set',
    about: 'A ham warmed to 48 °C, too slowly to be seen, but for the target that somebody has set',
    rules: 'intent, cooling',
    ...{ begins: '2026-04-04T09:00:00+02:00', hours: 11, unit: C },
    probes: {
      1: { shows: roast(() => 52, { into: 60, out: 500, from: 6, tau: 170, rest: 120 }), noise: 0.1 },
    },
    alerts: [{ alert_type: 'target', target_temperature: 48, temperature_unit: 'C' }],
    sessions: [cooled([76, 92], [505, 525], '1 food')],
  },
];
