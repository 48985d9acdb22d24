import { expect } from 'chai';
import type { Observation } from '../../src/readings/observation.js';
import { type DeviceWorld, dueAtMs, reduceDevice } from '../../src/sessions/detection.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import type { Moment, Session } from '../../src/sessions/types.js';
import {
  at,
  deviceFacts,
  meat,
  minutesOf,
  pit,
  probeFacts,
  replay,
  restarted,
  shows,
  trace,
  unplugged,
} from '../support/traces.js';

const smoker = deviceFacts([probeFacts(1, 'Pit'), probeFacts(2, 'Point')]);

const pitShows = (...values: [number, number][]): Observation[] => values.map(([m, c]) => shows(1, m, c));

/** 20 °C until the start at minute 1, then `celsius` until `until`, a reading every minute. */
const burns = (until: number, celsius = 120) =>
  trace({ 1: (m) => (m < 1 ? 20 : celsius) }, { minutes: until });

const moment = (minutes: number): Moment => ({ nowMs: at(minutes) });

/** Events as `paused 130`, and the last session. */
function outcome(inputs: (Observation | Moment)[], device = smoker) {
  const { events, sessions, world } = replay(device, inputs);
  const steps = events.map(({ kind, atMs }) => `${kind} ${minutesOf(atMs)}`);
  const session = sessions.at(-1);
  return { steps, session, end: minutesOf(session?.endMs ?? null), count: sessions.length, world };
}

const manual = (more: Partial<Session> = {}): Session => ({
  publicId: 'by-hand',
  id: 1,
  userId: 1,
  deviceId: 'D1',
  sessionType: 'manual',
  status: 'active',
  phase: 'active',
  endReason: null,
  startMs: at(0),
  endMs: null,
  lastReadingMs: null,
  temperatureUnit: 'C',
  members: [{ probeId: 1, role: 'pit', fromMs: null, toMs: null }],
  stats: new Map(),
  rebuild: false,
  ...more,
});

describe('cooled end', () => {
  // Baseline 20 °C, 90th percentile in the step of 120 to 122 °C, taken as 121 °C: 40 % of the span is 60.4 °C, 80 % 100.8.
  const cools = (celsius: number, until: number, from = 121) =>
    trace({ 1: (m) => (m < from ? undefined : celsius) }, { minutes: until });

  it('comes after 30 min below 40 % of the span', () => {
    expect(outcome([...burns(120), ...cools(60.3, 150)]).steps).to.deep.equal(['started 6']);
    const ended = outcome([...burns(120), ...cools(60.3, 151)]);
    expect(ended.steps).to.deep.equal(['started 6', 'ended 151']);
    expect(ended.session).to.include({
      status: 'completed',
      phase: 'ended',
      endReason: 'cooled',
      rebuild: false,
    });
    expect(outcome([...burns(120), ...cools(60.5, 400)]).steps).to.deep.equal(['started 6']);
  });

  it('needs 30 min on end', () => {
    const once = pitShows([150.5, 61]);
    const early = outcome([...burns(120), ...cools(60, 150), ...once, ...cools(60, 180, 151)]);
    expect(early.steps).to.deep.equal(['started 6']);
    const late = outcome([...burns(120), ...cools(60, 150), ...once, ...cools(60, 181, 151)]);
    expect(late.steps).to.deep.equal(['started 6', 'ended 181']);
  });

  it('is recorded at the last reading of 80 % of the span, and later ones leave the figures', () => {
    const slope = pitShows([121, 100.9], [122, 100.7], [123, 80], [124, 60]);
    const { session, end } = outcome([...burns(120), ...slope, ...cools(50, 160, 125)]);
    expect(end).to.equal(121);
    expect(session?.stats.get(1)).to.include({ count: 121, minHundredths: 10_090, lastMs: at(121) });
    const lower = pitShows([121, 100.7], [122, 90]);
    expect(outcome([...burns(120), ...lower, ...cools(50, 160, 123)]).end).to.equal(120);
  });

  it('takes the percentile by time, not by number of readings', () => {
    // 40 % of the span from 20 to 161 °C is 76.4 °C; from 20 to 121 °C it is 60.4 °C.
    const mostly = (hotUntil: number) =>
      trace(
        { 1: (m) => (m < 1 ? 20 : m < hotUntil ? 160 : undefined) },
        { minutes: hotUntil, everySeconds: 300 },
      );
    const low = (from: number) =>
      trace({ 1: (m) => (m < from ? undefined : m < 80 ? 120 : 70) }, { minutes: 120, everySeconds: 5 });
    expect(outcome([...mostly(30), ...low(30)]).steps).to.include('ended 110');
    expect(outcome([...mostly(10), ...low(10)]).steps).to.deep.equal(['started 10']);
  });

  it('lets a value hold for 15 min at most', () => {
    const flash = [...burns(200), ...pitShows([201, 160])];
    const back = trace({ 1: (m) => (m < 300 ? undefined : 70) }, { minutes: 350 });
    expect(outcome([...flash, ...back]).steps).to.deep.equal(['started 6', 'paused 211', 'resumed 300']);
  });

  it('does not count the time that the probe is unplugged', () => {
    const flash = [...burns(100), ...pitShows([101, 160]), shows(1, 101.5, null)];
    const back = trace({ 1: (m) => (m < 120 ? undefined : 70) }, { minutes: 200 });
    expect(outcome([...flash, ...back]).steps).to.deep.equal(['started 6']);
  });

  it('comes to a pit that was cold when it was unplugged, while food is still watched', () => {
    const food = trace({ 2: (m) => (m < 1 ? 20 : 50) }, { minutes: 160 });
    const pulled = (celsius: number) => {
      const rows = [...burns(120), ...pitShows([121, celsius]), shows(1, 122, null), ...food];
      return outcome(rows.sort((a, b) => a.measuredAtMs - b.measuredAtMs)).steps;
    };
    expect(pulled(50)).to.include('ended 151');
    expect(pulled(120)).to.deep.equal(pulled(50).slice(0, -1));
  });

  it('waits for all pits, except for one that is unplugged', () => {
    const pits = deviceFacts([probeFacts(1, 'Pit'), probeFacts(2, 'Pit 2')]);
    const second = (celsius: number | null) =>
      trace({ 2: (m) => (m < 1 ? 20 : m < 121 ? 120 : celsius) }, { minutes: 200 });
    const both = (celsius: number | null) =>
      [...burns(120), ...cools(50, 200), ...second(celsius)].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    expect(outcome(both(120), pits).steps).to.not.include('ended 151');
    expect(outcome(both(50), pits).steps).to.include('ended 151');
    expect(outcome(both(null), pits).steps).to.include('ended 152'); // it was hot at 121
  });

  describe('with food', () => {
    const heats = (perHour: number) =>
      trace({ 2: (m) => (m < 1 ? 20 : m < 120 ? 50 : 50 + ((m - 121) * perHour) / 60) }, { minutes: 152 });
    const cooks = (food: Observation[]) =>
      outcome([...burns(120), ...cools(50, 152), ...food].sort((a, b) => a.measuredAtMs - b.measuredAtMs));

    it('waits while it rises by 2 °C an hour', () => {
      expect(cooks(heats(2.1)).steps.some((step) => step.startsWith('ended'))).to.equal(false);
      expect(cooks(heats(1.8)).steps).to.include('ended 151');
      expect(cooks(heats(-20)).steps).to.include('ended 151');
    });

    it('does not wait for a probe that is no food', () => {
      const device = deviceFacts([probeFacts(1, 'Pit'), probeFacts(2, 'Garage', { role: 'other' })]);
      const food = [...burns(120), ...cools(50, 152), ...heats(20)];
      const { steps } = outcome(
        food.sort((a, b) => a.measuredAtMs - b.measuredAtMs),
        device,
      );
      expect(steps).to.include('ended 151');
    });
  });

  it('does not count unknown time', () => {
    // Below the limit at 121, silent for an hour, still below: the hour counts as the 15 min that a value holds.
    const back = outcome([...burns(120), ...pitShows([121, 50]), ...cools(50, 195, 181)]);
    expect(back.steps).to.deep.equal(['started 6', 'paused 131', 'resumed 181']);
    const later = outcome([...burns(120), ...pitShows([121, 50]), ...cools(50, 196, 181)]);
    expect(later.steps.at(-1)).to.equal('ended 196');
  });

  it('never comes from a steady high temperature, nor to a manual session', () => {
    expect(outcome(burns(3000)).steps).to.deep.equal(['started 6']);
    const { events } = replay(smoker, [...burns(120), ...cools(30, 400)], { sessions: [manual()] });
    expect(events).to.deep.equal([]);
  });
});

describe('unplugged end', () => {
  const pulled = (minute: number) => [shows(1, minute, null)];

  it('comes when all members show nothing for 30 min, at the last valid reading', () => {
    expect(outcome([...burns(60), ...pulled(61), moment(90.99)]).steps).to.deep.equal(['started 6']);
    const ended = outcome([...burns(60), ...pulled(61), moment(91)]);
    expect(ended.steps).to.deep.equal(['started 6', 'ended 91']);
    expect(ended.session).to.include({ status: 'completed', endReason: 'unplugged', endMs: at(60) });
  });

  it('counts from the last member to go, and not from a repeated word', () => {
    const both = trace({ 2: (m) => (m < 1 ? 20 : m < 70 ? 60 : null) }, { minutes: 70 });
    const rows = [...burns(60), ...both, ...pulled(61)].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    expect(outcome([...rows, shows(1, 80, null), moment(99.99)]).count).to.equal(1);
    expect(outcome([...rows, shows(1, 80, null), moment(99.99)]).session?.status).to.equal('active');
    const ended = outcome([...rows, shows(1, 80, null), moment(100)]);
    expect(ended.steps.at(-1)).to.equal('ended 100');
    expect(ended.end).to.equal(69);
  });

  it('does not come when a probe is back in time, and is not put off by a late one', () => {
    expect(outcome([...burns(60), ...pulled(61), ...pitShows([91, 120])]).steps).to.deep.equal(['started 6']);
    const late = outcome([...burns(60), ...pulled(61), ...pitShows([91.01, 120])]);
    expect(late.steps).to.deep.equal(['started 6', 'ended 91']);
  });

  it('ends a manual session too, also on a logger', () => {
    const logger = deviceFacts([probeFacts(1, 'Air')], { type: 'datalogger' });
    const { sessions } = replay(logger, [...burns(60), ...pulled(61), moment(91)], { sessions: [manual()] });
    expect(sessions[0]).to.include({ status: 'completed', endReason: 'unplugged', endMs: at(60) });
  });
});

describe('lost contact', () => {
  it('pauses after 10 min, and goes on with the next data', () => {
    expect(outcome([...burns(60), moment(69.99)]).steps).to.deep.equal(['started 6']);
    const paused = outcome([...burns(60), moment(70)]);
    expect(paused.steps).to.deep.equal(['started 6', 'paused 70']);
    expect(paused.session).to.include({ status: 'active', phase: 'paused' });
    const resumed = outcome([...burns(60), moment(70), ...pitShows([71, 120])]);
    expect(resumed.steps.at(-1)).to.equal('resumed 71');
    expect(resumed.session).to.include({ status: 'active', phase: 'active' });
  });

  it('says the same when nobody looked meanwhile', () => {
    expect(outcome([...burns(60), ...pitShows([70, 120])]).steps).to.deep.equal(['started 6']);
    const late = outcome([...burns(60), ...pitShows([71, 120])]);
    expect(late.steps).to.deep.equal(['started 6', 'paused 70', 'resumed 71']);
  });

  it('ends after 2 h, at the last reading', () => {
    expect(outcome([...burns(60), moment(179.99)]).steps).to.deep.equal(['started 6', 'paused 70']);
    const ended = outcome([...burns(60), moment(180)]);
    expect(ended.steps).to.deep.equal(['started 6', 'paused 70', 'ended 180']);
    expect(ended.session).to.include({ status: 'completed', endReason: 'lost_contact', endMs: at(60) });
    const inTime = outcome([...burns(60), ...pitShows([180, 120])]);
    expect(inTime.steps).to.deep.equal(['started 6', 'paused 70', 'resumed 180']);
  });

  it('is of the members, not of other probes', () => {
    const other = trace({ 2: () => 20 }, { minutes: 200 });
    const rows = [...burns(60), ...other].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    expect(outcome(rows).steps).to.deep.equal(['started 6', 'paused 70', 'ended 180']);
  });

  it('ends a manual session that never saw anything', () => {
    const { sessions } = replay(smoker, [moment(120)], { sessions: [manual()] });
    expect(sessions[0]).to.include({ status: 'completed', endReason: 'lost_contact', endMs: at(0) });
  });
});

describe('reopening', () => {
  const returns = (minute: number, celsius: number) =>
    outcome([...burns(60), ...pitShows([minute, celsius])]);

  it('takes the same session up again within 6 h of its last reading', () => {
    const back = returns(60 + 360, 120);
    expect(back.steps).to.deep.equal(['started 6', 'paused 70', 'ended 180', 'reopened 420']);
    expect(back.session).to.include({
      status: 'active',
      phase: 'active',
      endReason: null,
      endMs: null,
      rebuild: false,
    });
    expect(back.session?.stats.get(1)).to.include({ count: 61, lastMs: at(420) });
    expect(returns(60 + 361, 120).steps.at(-1)).to.equal('ended 180');
  });

  it('needs a pit above its end limit, at the first look', () => {
    expect(returns(200, 60.5).steps.at(-1)).to.equal('reopened 200');
    expect(returns(200, 60.3).steps.at(-1)).to.equal('ended 180');
    const relit = outcome([...burns(60), ...pitShows([200, 50], [210, 120])]);
    expect(relit.steps.at(-1)).to.equal('ended 180');
  });

  it('waits for the pit when food is back first, and its readings count', () => {
    const food = trace({ 2: (m) => (m < 1 ? 20 : 50) }, { minutes: 60 });
    const rows = [...burns(60), ...food].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    const back = outcome([...rows, shows(2, 199, 70), ...pitShows([200, 120])]);
    expect(back.steps.at(-1)).to.equal('reopened 200');
    expect(back.session?.stats.get(2)).to.include({ lastMs: at(199), count: 60 + 1 });
  });

  it('asks each pit once, until one is hot', () => {
    const pits = deviceFacts([probeFacts(1, 'Pit'), probeFacts(2, 'Pit 2')]);
    const second = trace({ 2: (m) => (m < 1 ? 20 : 120) }, { minutes: 60 });
    const rows = [...burns(60), ...second].sort((a, b) => a.measuredAtMs - b.measuredAtMs);
    const cold = outcome([...rows, ...pitShows([200, 50], [205, 120])], pits);
    expect(cold.steps.at(-1)).to.equal('ended 180');
    expect(outcome([...rows, ...pitShows([200, 50]), shows(2, 205, 120)], pits).steps.at(-1)).to.equal(
      'reopened 205',
    );
  });

  it('takes a short one up again that counted as cancelled', () => {
    const back = outcome([...burns(15), ...pitShows([200, 120])]);
    expect(back.steps).to.deep.equal(['started 6', 'paused 25', 'cancelled 135', 'reopened 200']);
    expect(back.session).to.include({ status: 'active', endReason: null });
  });

  it('takes up a manual session: with its pit as hot, without a pit with any value', () => {
    const member = { probeId: 1, fromMs: null, toMs: null };
    const back = (celsius: number, role: 'pit' | 'food') =>
      replay(deviceFacts([probeFacts(1, 'Pit', { role })]), [...burns(60), ...pitShows([200, celsius])], {
        sessions: [manual({ members: [{ ...member, role }] })],
      }).sessions[0]?.status;
    expect([back(61, 'pit'), back(50, 'pit'), back(10, 'food')]).to.deep.equal([
      'active',
      'completed',
      'active',
    ]);
  });

  it('is only for lost contact', () => {
    const pulled = [...burns(60), shows(1, 61, null), ...pitShows([100, 120])];
    expect(outcome(pulled).steps).to.deep.equal(['started 6', 'ended 91']);
  });
});

describe('arming again after an end', () => {
  /** Ended at minute 151 with the pit at 58 °C. */
  const cooled = [...burns(120), ...trace({ 1: (m) => (m < 121 ? undefined : 58) }, { minutes: 151 })];
  const starts = (...values: [number, number][]) => outcome([...cooled, ...pitShows(...values)]).count - 1;

  it('needs a value below 50 °C', () => {
    expect(starts([152, 50], [153, 66], [158, 66])).to.equal(0);
    expect(starts([152, 49.99], [153, 66], [158, 66])).to.equal(1);
  });

  it('or a rise of 20 °C above the lowest since then', () => {
    expect(starts([152, 55], [153, 74.99], [160, 74.99])).to.equal(0);
    expect(starts([152, 55], [153, 75], [157.99, 75])).to.equal(0);
    expect(starts([152, 55], [153, 75], [158, 75])).to.equal(1);
  });

  it('dates the new start from that lowest value, never into the session before', () => {
    const again = outcome([...cooled, ...pitShows([152, 56], [153, 55], [154, 80], [159, 80])]);
    expect(minutesOf(again.session?.startMs ?? null)).to.equal(153);
  });

  describe('holds for a session that was ended by hand as well', () => {
    /** The world 30 s after the last reading, as the user left it. */
    const endedByHand = (inputs: Observation[]): DeviceWorld => {
      const { world } = replay(smoker, inputs);
      const bounds = { status: 'completed', phase: 'ended', endReason: 'manual' } as const;
      const endMs = (inputs.at(-1)?.measuredAtMs ?? 0) + 30_000;
      return {
        ...world,
        sessions: world.sessions.map((session): Session => ({ ...session, ...bounds, endMs })),
      };
    };
    const goOn = (start: DeviceWorld, rows: Observation[]) =>
      rows.reduce((world, row) => reduceDevice(world, row, () => 'second').world, start).sessions;

    it('on a hot grill', () => {
      const rows = trace({ 1: (m) => (m < 61 ? undefined : 120) }, { minutes: 90 });
      expect(goOn(endedByHand(burns(60)), rows).map(({ status }) => status)).to.deep.equal(['completed']);
    });

    it('and on a warm one the next start lies after it', () => {
      const warm = endedByHand([...burns(60), ...pitShows([61, 45])]);
      const [, second] = goOn(warm, pitShows([62, 45], [63, 80], [68, 80]));
      expect(minutesOf(second?.startMs ?? null)).to.equal(62);
    });
  });

  it('is not needed after a manual session began', () => {
    const { world } = replay(smoker, cooled);
    const begun = reduceDevice(
      { ...world, sessions: [manual({ startMs: at(152) })] },
      shows(1, 153, 70),
      () => '',
    );
    expect(begun.world.detection.probes[1]).to.not.have.property('lowest');
  });
});

describe('cancelled', () => {
  it('is an automatic session of less than 20 min', () => {
    // From minute 1: the first reading above the baseline.
    expect(outcome([...burns(20), shows(1, 20.98, 120), moment(200)]).session?.status).to.equal('cancelled');
    expect(outcome([...burns(21), moment(200)]).session?.status).to.equal('completed');
    const { session, steps } = outcome([...burns(15), shows(1, 16, null), moment(46)]);
    expect(session).to.include({
      status: 'cancelled',
      phase: 'ended',
      endReason: 'unplugged',
      endMs: at(15),
    });
    expect(steps.at(-1)).to.equal('cancelled 46');
  });

  it('is one whose peak stayed below 45 °C', () => {
    const { world } = replay(smoker, burns(60));
    const endsAs = (peak: number) => {
      const { cook, probes } = restarted(world.detection);
      if (!cook) throw new Error('no cook');
      const tepid: DeviceWorld = { ...world, detection: { probes, cook: { ...cook, peak } } };
      return reduceDevice(tepid, moment(300), () => '').world.sessions[0]?.status;
    };
    expect([endsAs(4499), endsAs(4500)]).to.deep.equal(['cancelled', 'completed']);
  });

  it('is never a manual session', () => {
    const { sessions } = replay(smoker, [...burns(5), moment(300)], { sessions: [manual()] });
    expect(sessions[0]?.status).to.equal('completed');
  });
});

describe('a manual session', () => {
  it('keeps an automatic one from starting, and takes no probe by itself', () => {
    const rows = trace({ 1: pit(), 2: meat([0, 4], [400, 90]) }, { minutes: 200 });
    const { sessions, events } = replay(smoker, rows, { sessions: [manual()] });
    expect(events).to.deep.equal([]);
    expect(sessions.map(({ members }) => members.length)).to.deep.equal([1]);
    expect(sessions[0]?.stats.get(1)?.count).to.equal(201);
  });

  it('that an automatic one was made into goes on, without an end by cooling', () => {
    const { world } = replay(smoker, burns(60));
    let handed: DeviceWorld = {
      ...world,
      sessions: world.sessions.map((s) => ({ ...s, sessionType: 'manual' })),
    };
    const rows = trace({ 1: (m) => (m < 61 ? undefined : 30) }, { minutes: 200 });
    for (const row of rows) handed = reduceDevice(handed, row, () => 'other').world;
    expect(handed.sessions.map(({ status }) => status)).to.deep.equal(['active']);
  });
});

describe('dueAtMs', () => {
  const dueMinutes = (inputs: (Observation | Moment)[]) => minutesOf(dueAtMs(replay(smoker, inputs).world));

  it('is the pause, then the loss of contact, and the unplugged end where nothing is plugged in', () => {
    expect(dueMinutes(pitShows([0, 20]))).to.equal(null);
    expect(dueMinutes(burns(60))).to.equal(70);
    expect(dueMinutes([...burns(60), moment(70)])).to.equal(180);
    expect(dueMinutes([...burns(60), moment(180)])).to.equal(null);
    expect(dueMinutes([...burns(60), shows(1, 61, null)])).to.equal(91);
  });

  it('is the very time at which a moment changes something', () => {
    const curves = { 1: unplugged(pit(), 100, 110), 2: unplugged(meat([0, 4], [300, 90]), 95, 300) };
    let world: DeviceWorld = { device: smoker, detection: emptyDetection(), sessions: [] };
    let looked = 0;
    for (const row of trace(curves, { minutes: 200 })) {
      world = reduceDevice(world, row, () => 'one').world;
      const due = dueAtMs(world);
      if (due === null) continue;
      looked++;
      expect(reduceDevice(world, { nowMs: due - 1 }, () => '').world).to.equal(world);
      expect(reduceDevice(world, { nowMs: due }, () => '').events).to.have.length(1);
    }
    expect(looked).to.be.greaterThan(100);
  });
});
