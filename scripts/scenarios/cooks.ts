import { fire, held, lids, pulled, roast, switched } from './kitchen.js';
import { C, cooled, F, type Scenario } from './scenario.js';

const SMOKE = 121;

const night = fire({ steps: held(60, SMOKE, 900), room: 18, swing: [4, 25], lids: [[538, 546]] });
const shared = fire({ steps: held(30, 135, 420), swing: [3, 18], lids: [[300, 303]] });
const hot = fire({ steps: held(20, 190, 90), cool: 30, swing: [5, 9], lids: lids(40, 75, 15) });
const seared = fire({
  steps: [
    [30, 107],
    [100, 290],
    [115, null],
  ],
  cool: 25,
});
const shoulder = fire({ steps: held(60, 107, 2460), swing: [3, 40], lids: lids(600, 2400, 360) });
const autumn = fire({ steps: held(45, SMOKE, 780), room: 9, swing: [5, 30] });
const kettle = fire({ steps: held(30, 150, 240), room: 16, swing: [6, 22] });
const swinging = fire({ steps: held(60, SMOKE, 420), swing: [8, 15] });
const opened = fire({ steps: held(60, SMOKE, 420), swing: [3, 20], lids: lids(120, 420) });
const quick = fire({ steps: held(30, 250, 50), rise: 4, cool: 30 });
const frost = fire({ steps: held(60, 110, 480), room: -10, rise: 14, cool: 30, swing: [6, 30] });
const noon = fire({ steps: held(60, 115, 400), room: 44, swing: [4, 20] });
const pellets = fire({
  steps: [
    [40, 180],
    [52, 110],
    [360, null],
  ],
  swing: [6, 12],
});
const oven = fire({ steps: held(60, 110, 255), room: 21 });
const pork = roast(oven, { into: 60, out: 255, from: 5, tau: 200, rest: 120, room: 21 });

/** What is cooked from the first fire to the last ember, with nothing in between. */
export const COOKS: Scenario[] = [
  {
    name: 'overnight-brisket',
    about:
      'Brisket at 250 °F through the night: a stall, pulled and wrapped after eight hours, at rest in a warm box',
    rules: 'pit start, back-dating, joining, steady heat is no end, cooling',
    ...{ begins: '2026-07-03T19:00:00-05:00', hours: 17, unit: F },
    probes: {
      1: { shows: night, role: 'pit' },
      2: {
        shows: roast(night, { into: 105, out: 905, tau: 330, rest: 500, wrapped: 540, room: 18 }),
        role: 'food',
      },
      3: {
        shows: pulled(
          roast(night, { into: 105, out: 905, tau: 290, rest: 500, wrapped: 540, room: 18 }),
          538,
          545,
        ),
        role: 'food',
      },
      4: { shows: () => null },
    },
    sessions: [cooled([60, 64], [900, 915], '1 pit', '2 food', '3 food')],
  },
  {
    name: 'two-meats-one-pit',
    about:
      'Shoulder and ribs; the ribs are done two hours earlier and their probe is put away. No role is set',
    rules: 'roles, pit start, joining, cooling',
    ...{ begins: '2026-05-16T09:30:00-04:00', hours: 9, unit: F },
    probes: {
      1: { shows: shared },
      2: { shows: pulled(roast(shared, { into: 60, out: 300, tau: 140 }), 300) },
      3: { shows: roast(shared, { into: 50, out: 425, tau: 260, wrapped: 330 }) },
    },
    sessions: [cooled([30, 34], [420, 435], '1 pit', '2 food', '3 food')],
  },
  {
    name: 'chicken-thighs',
    about: 'Thighs at 375 °F with the lid up every quarter of an hour, done within half an hour',
    rules: 'roles, pit start, cooling',
    ...{ begins: '2026-06-20T17:00:00-07:00', hours: 5, unit: F },
    probes: {
      1: { shows: hot, role: 'pit' },
      2: { shows: roast(hot, { into: 40, out: 72, tau: 42, rest: 30 }), role: 'food' },
    },
    sessions: [cooled([20, 23], [88, 100], '1 pit', '2 food')],
  },
  {
    name: 'reverse-sear-steak',
    about: 'A steak at 225 °F, taken off to rest, then a minute on each side over 550 °F',
    rules: 'pit start, steady heat is no end, cooling',
    ...{ begins: '2026-08-08T18:30:00-06:00', hours: 5, unit: F },
    probes: { 1: { shows: seared }, 2: { shows: roast(seared, { into: 50, out: 97, tau: 95, rest: 60 }) } },
    sessions: [cooled([30, 34], [112, 126], '1 pit', '2 food')],
  },
  {
    name: 'hot-grill-35-minutes',
    about: 'A gas grill at 500 °F for 35 minutes, no probe in the food',
    rules: 'roles, pit start, cooling, too short',
    ...{ begins: '2026-07-18T12:00:00-04:00', hours: 4, unit: F },
    probes: { 1: { shows: fire({ steps: held(10, 260, 45), rise: 4, cool: 25, swing: [6, 7] }) } },
    sessions: [cooled([10, 12], [45, 55], '1 pit')],
  },
  {
    name: 'steak-20-minutes',
    about: 'A steak over high heat for 20 minutes, fire to fire',
    rules: 'pit start, cooling, too short',
    ...{ begins: '2026-07-21T19:00:00-05:00', hours: 4, unit: F },
    probes: { 1: { shows: quick, role: 'pit' } },
    sessions: [cooled([30, 32], [50, 60], '1 pit')],
  },
  {
    name: 'forty-hours',
    about: 'A whole shoulder at 225 °F for 40 hours, over two midnights',
    rules: 'steady heat is no end, long cooks',
    ...{ begins: '2026-09-04T16:00:00-05:00', hours: 43, unit: F },
    probes: {
      1: { shows: shoulder, role: 'pit' },
      2: { shows: roast(shoulder, { into: 90, out: 2465, tau: 800, wrapped: 1500 }), role: 'food' },
    },
    sessions: [cooled([60, 64], [2460, 2475], '1 pit', '2 food')],
  },
  {
    name: 'daylight-saving-night',
    about: 'A brisket through the night in which the clock is set back: the hour from one to two comes twice',
    rules: 'long cooks',
    ...{ begins: '2026-10-31T20:00:00-05:00', hours: 15, unit: F, clock: [360, '-06:00'] },
    probes: {
      1: { shows: autumn, role: 'pit' },
      2: { shows: roast(autumn, { into: 90, out: 785, tau: 330, wrapped: 500, room: 9 }), role: 'food' },
    },
    sessions: [cooled([45, 49], [780, 795], '1 pit', '2 food')],
  },
  {
    name: 'celsius',
    about: 'A kettle at 150 °C and a loin, all in Celsius',
    rules: 'pit start, cooling, units',
    ...{ begins: '2026-05-01T14:00:00+02:00', hours: 7, unit: C },
    probes: {
      1: { shows: kettle },
      2: { shows: roast(kettle, { into: 50, out: 165, tau: 190, rest: 90, room: 16 }) },
    },
    sessions: [cooled([30, 33], [240, 254], '1 pit', '2 food')],
  },
  {
    name: 'swinging-pit',
    about: 'A controller that lets the pit swing by 8 °C either way, four times an hour',
    rules: 'pit start, steady heat is no end, cooling',
    ...{ begins: '2026-06-06T06:00:00+00:00', hours: 9, unit: F },
    probes: { 1: { shows: swinging, noise: 1 } },
    sessions: [cooled([60, 64], [415, 435], '1 pit')],
  },
  {
    name: 'lid-open-hourly',
    about: 'The lid is up for five minutes every hour, and the pit falls by half',
    rules: 'steady heat is no end, cooling',
    ...{ begins: '2026-06-13T08:00:00-05:00', hours: 9, unit: F },
    probes: {
      1: { shows: opened },
      2: { shows: roast(opened, { into: 75, out: 425, tau: 280, wrapped: 300 }) },
    },
    sessions: [cooled([60, 64], [410, 435], '1 pit', '2 food')],
  },
  {
    name: 'meat-only',
    about:
      'Pork in an oven that has no probe: found by its own rise, set back to it, and over once below 45 °C',
    rules: 'food start, back-dating, cooling',
    ...{ begins: '2026-11-08T11:00:00+01:00', hours: 8, unit: C },
    probes: { 1: { shows: switched(() => 21, 55, pork) } },
    sessions: [{ ...cooled([63, 76], [325, 350], '1 food'), reason: 'cooled' }],
  },
  {
    name: 'winter',
    about: 'A kettle in the snow at -10 °C',
    rules: 'baseline, pit start, cooling',
    ...{ begins: '2026-01-17T09:00:00-06:00', hours: 10, unit: F },
    probes: {
      1: { shows: frost },
      2: { shows: roast(frost, { into: 100, out: 485, tau: 300, wrapped: 300, room: -10 }) },
    },
    sessions: [cooled([60, 65], [480, 495], '1 pit', '2 food')],
  },
  {
    name: 'desert',
    about: 'Noon at 44 °C in the shade: the baseline is as warm as it may be; one probe stays in the drawer',
    rules: 'baseline, pit start, joining, cooling',
    ...{ begins: '2026-07-11T10:00:00-07:00', hours: 9, unit: F },
    probes: {
      1: { shows: noon, role: 'pit' },
      2: { shows: roast(noon, { into: 80, out: 405, tau: 240, room: 44 }), role: 'food' },
      3: { shows: () => 44 },
    },
    sessions: [cooled([60, 64], [400, 418], '1 pit', '2 food')],
  },
  {
    name: 'pellet-start-up',
    about: 'A pellet grill that shoots up to 350 °F before it settles at 230',
    rules: 'steady heat is no end, cooling',
    ...{ begins: '2026-04-25T10:00:00-05:00', hours: 10, unit: F },
    probes: {
      1: { shows: pellets },
      2: { shows: roast(pellets, { into: 70, out: 362, tau: 260 }) },
    },
    sessions: [cooled([40, 44], [355, 375], '1 pit', '2 food')],
  },
];
