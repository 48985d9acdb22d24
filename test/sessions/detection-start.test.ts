import { expect } from 'chai';
import type { Observation } from '../../src/readings/observation.js';
import { detectsCooks } from '../../src/sessions/roles.js';
import type { ProbeFacts } from '../../src/sessions/types.js';
import {
  at,
  deviceFacts,
  meat,
  minutesOf,
  pit,
  probeFacts,
  replay,
  shows,
  trace,
  unplugged,
} from '../support/traces.js';

const smoker = deviceFacts([probeFacts(1, 'Pit')]);

/** Pit values in °C by minute. */
const pitShows = (...values: [number, number][]): Observation[] => values.map(([m, c]) => shows(1, m, c));

/** Recorded start in minutes and members as `1pit 2food` of the only session; null when there is none. */
function started(probes: ProbeFacts[], inputs: Observation[]) {
  const { sessions } = replay(deviceFacts(probes), inputs);
  expect(sessions.length).to.be.lessThan(2);
  const [session] = sessions;
  if (!session) return null;
  const members = session.members.map(({ probeId, role }) => `${probeId}${role}`).join(' ');
  return { start: minutesOf(session.startMs), members };
}

const startOf = (inputs: Observation[]) => started(smoker.probes, inputs)?.start ?? null;

describe('pit start', () => {
  it('needs 60 °C', () => {
    expect(startOf(pitShows([0, 20], [10, 59.99], [20, 59.99]))).to.equal(null);
    expect(startOf(pitShows([0, 20], [10, 60], [20, 60]))).to.equal(10);
  });

  it('reads 140 °F as 60 °C', () => {
    const fahrenheit = (minutes: number, hundredths: number): Observation => ({
      ...shows(1, minutes, 0),
      hundredths,
      unit: 'F',
    });
    const hot = (hundredths: number) => [10, 15].map((minutes) => fahrenheit(minutes, hundredths));
    expect(startOf([fahrenheit(0, 6800), ...hot(14_000)])).to.equal(10);
    expect(startOf([fahrenheit(0, 6800), ...hot(13_999)])).to.equal(null);
  });

  it('needs 20 °C above the baseline', () => {
    expect(startOf(pitShows([0, 42], [10, 61.99], [20, 61.99]))).to.equal(null);
    expect(startOf(pitShows([0, 42], [10, 62], [20, 62]))).to.equal(10);
  });

  it('needs two readings that span five minutes, with none below between them', () => {
    expect(startOf(pitShows([0, 20], [10, 80]))).to.equal(null);
    expect(startOf(pitShows([0, 20], [10, 80], [14.999, 80]))).to.equal(null);
    expect(startOf(pitShows([0, 20], [10, 80], [15, 80]))).to.equal(10);
    expect(startOf(pitShows([0, 20], [10, 80], [13, 59], [16, 80], [20, 80]))).to.equal(null);
    expect(startOf([...pitShows([0, 20], [10, 80]), shows(1, 12, null), ...pitShows([15, 80])])).to.equal(
      null,
    );
  });

  it('comes from a pit only, and once', () => {
    const values = pitShows([0, 20], [60, 40], [130, 80], [140, 80], [150, 80]);
    expect(started([probeFacts(1, 'Pit')], values)?.members).to.equal('1pit');
    const beside = (probe: ProbeFacts) =>
      started([probe, probeFacts(2, 'Pit')], [shows(2, 0, 20), ...values]);
    expect(beside(probeFacts(1, 'Point'))).to.equal(null);
    expect(beside(probeFacts(1, 'Pit', { role: 'food' }))).to.equal(null);
    expect(started([probeFacts(1, 'Pit', { kind: 'humidity' })], values)).to.equal(null);
  });

  it('is not looked for on a logger', () => {
    const logger = deviceFacts([probeFacts(1, 'Pit', { role: 'pit' })], { type: 'datalogger' });
    expect(detectsCooks(logger)).to.equal(false);
    expect(replay(logger, pitShows([0, 20], [10, 80], [20, 80])).sessions).to.deep.equal([]);
  });

  it('begins a session in the unit of the owner, for the owner of the device', () => {
    const device = { ...smoker, temperatureUnit: 'F' as const, userId: 7 };
    const { sessions, events } = replay(device, pitShows([0, 20], [10, 80], [20, 80]));
    const expected = { userId: 7, deviceId: 'D1', sessionType: 'auto', status: 'active', phase: 'active' };
    expect(sessions[0]).to.include({
      ...expected,
      publicId: 'session-1',
      temperatureUnit: 'F',
      rebuild: false,
    });
    expect(events).to.deep.equal([{ kind: 'started', session: 'session-1', atMs: at(20) }]);
  });
});

describe('a probe without a role that heats up fast', () => {
  const unknown = [probeFacts(1, 'Channel 1')];
  // Leaves its baseline after minute 10.
  const climbs = (hotAt: number) => pitShows([0, 20], [10, 25], [11, 26], [hotAt, 60], [hotAt + 5, 60]);

  it('counts as pit when it is hot within 60 min of leaving its baseline', () => {
    expect(started(unknown, climbs(70))?.members).to.equal('1pit');
    expect(started(unknown, climbs(70.1))?.members).to.equal('1food');
  });

  it('counts as pit when the device is switched on late', () => {
    expect(started(unknown, pitShows([0, 150], [5, 150]))?.members).to.equal('1pit');
    expect(started(unknown, pitShows([0, 20], [600, 150], [605, 150]))?.members).to.equal('1pit');
  });

  it('is food when it heated up while nobody saw it, or was hot when it was plugged in during a cook', () => {
    expect(started(unknown, pitShows([0, 20], [100, 70], [105, 70]))?.members).to.equal('1food');
    const lit = pitShows([0, 20], [10, 80], [15, 80]);
    const plugged = [20, 25, 30].map((minute) => shows(2, minute, 70));
    expect(started([probeFacts(1, 'Pit'), probeFacts(2)], [...lit, ...plugged])?.members).to.equal(
      '1pit 2food',
    );
  });

  it('is what the user says it is, when he says so', () => {
    expect(started([probeFacts(1, 'Channel 1', { role: 'food' })], climbs(40))?.members).to.equal('1food');
    expect(started([probeFacts(1, 'Channel 1', { role: 'other' })], climbs(40))).to.equal(null);
  });

  it('becomes a pit of the session that it joined as food', () => {
    const rows = [...pitShows([0, 20], [10, 80]), shows(2, 0, 20), shows(2, 14, 30), ...pitShows([15, 80])];
    const probes = [probeFacts(1, 'Pit'), probeFacts(2)];
    expect(started(probes, rows)?.members).to.equal('1pit 2food');
    const hot = [shows(2, 30, 90), shows(2, 35, 90)];
    expect(started(probes, [...rows, ...hot])?.members).to.equal('1pit 2pit');
    const fixed = [probeFacts(1, 'Pit'), probeFacts(2, null, { role: 'food' })];
    expect(started(fixed, [...rows, ...hot])?.members).to.equal('1pit 2food');
  });
});

describe('the baseline', () => {
  it('is the least value of three hours, so it follows a warm day up to 45 °C', () => {
    // 40 °C for four hours: 60 °C is enough. Only after the cool morning has passed, 64.9 °C is not above 45 + 20.
    const day = (celsius: number) => trace({ 1: () => celsius }, { minutes: 240, everySeconds: 300 });
    const heat = (celsius: number) => pitShows([250, celsius], [255, celsius]);
    expect(startOf([...day(40), ...heat(60)])).to.equal(250);
    expect(startOf([...day(48), ...heat(64.99)])).to.equal(null);
    expect(startOf([...day(48), ...heat(65)])).to.equal(250);
  });

  it('remembers a cool hour for three hours and forgets it within a quarter of an hour more', () => {
    const cold = pitShows([0, 20]);
    const warm = (until: number) => trace({ 1: (m) => (m < 15 ? undefined : 44) }, { minutes: until });
    const heat = (minute: number) => pitShows([minute, 63], [minute + 5, 63]);
    expect(startOf([...cold, ...warm(175), ...heat(176)])).to.not.equal(null);
    expect(startOf([...cold, ...warm(196), ...heat(197)])).to.equal(null);
  });

  it('is frozen while the probe is a candidate', () => {
    // 44 °C would be the baseline when the cold quarter is forgotten; hot before, it stays 20 °C.
    const warm = trace({ 1: (m) => (m < 15 ? 20 : 44) }, { minutes: 178 });
    expect(startOf([...warm, ...pitShows([179, 63], [240, 63])])).to.equal(240);
  });

  it('is nothing after a night without data: then 65 °C is hot', () => {
    const evening = pitShows([0, 20]);
    expect(startOf([...evening, ...pitShows([600, 64.9], [605, 64.9])])).to.equal(null);
    expect(startOf([...evening, ...pitShows([600, 65], [605, 65])])).to.equal(600);
  });
});

describe('the recorded start', () => {
  it('is the first reading of the stay above baseline + 5 °C', () => {
    expect(startOf(pitShows([0, 20], [5, 25], [7, 25.01], [10, 80], [15, 80]))).to.equal(7);
    expect(startOf(pitShows([0, 20], [5, 26], [7, 25], [9, 26], [10, 80], [15, 80]))).to.equal(9);
  });

  it('lies at most 30 min back, on a reading of the pit', () => {
    expect(startOf(pitShows([0, 20], [10, 30], [12, 31], [35, 80], [40, 80]))).to.equal(10);
    expect(startOf(pitShows([0, 20], [10, 30], [12, 31], [35, 80], [40.01, 80]))).to.equal(12);
    const food = [shows(2, 11, 30)];
    const rows = [...pitShows([0, 20], [10, 30]), ...food, ...pitShows([12, 31], [35, 80], [40.01, 80])];
    expect(started([probeFacts(1, 'Pit'), probeFacts(2)], rows)?.start).to.equal(12);
  });

  it('has the readings since then in its figures, those before it not', () => {
    const { sessions } = replay(smoker, pitShows([0, 20], [5, 26], [10, 80], [15, 82], [16, 90]));
    expect(sessions[0]?.stats.get(1)).to.include({ count: 4, minHundredths: 2600, maxHundredths: 9000 });
  });
});

describe('members', () => {
  const probes = [probeFacts(1, 'Pit'), probeFacts(2, 'Point')];
  const unlit = (celsius: number) => [
    ...pitShows([0, 20]),
    shows(2, 0, 20),
    ...pitShows([10, 80]),
    shows(2, 12, celsius),
  ];
  const lit = pitShows([15, 80]);

  it('join at the start when their last value lies 5 °C from their baseline', () => {
    expect(started(probes, [...unlit(24.99), ...lit])?.members).to.equal('1pit');
    expect(started(probes, [...unlit(25), ...lit])?.members).to.equal('1pit 2food');
    expect(started(probes, [...unlit(25), shows(2, 13, null), ...lit])?.members).to.equal('1pit');
  });

  it('join later when they come to lie 5 °C from it, above or below, from the start of the session', () => {
    const joins = (celsius: number) =>
      replay(deviceFacts(probes), [...unlit(20), ...lit, shows(2, 20, celsius)]);
    expect(joins(24.99).events.map(({ kind }) => kind)).to.deep.equal(['started']);
    expect(joins(15.01).events.map(({ kind }) => kind)).to.deep.equal(['started']);
    for (const celsius of [25, 15]) {
      const { sessions, events } = joins(celsius);
      expect(events.at(-1)).to.deep.equal({ kind: 'joined', session: 'session-1', atMs: at(20) });
      expect(sessions[0]?.members[1]).to.deep.equal({ probeId: 2, role: 'food', fromMs: null, toMs: null });
      // The reading of minute 12, before the probe joined, counts.
      expect(sessions[0]?.stats.get(2)).to.include({ count: 2, firstMs: at(12) });
    }
  });

  it('are measured against the baseline that they had before the session', () => {
    const slow = [20, 18, 16, 15].map((celsius, index) => shows(2, 20 + index, celsius));
    expect(started(probes, [...unlit(20), ...lit, ...slow.slice(0, 3)])?.members).to.equal('1pit');
    expect(started(probes, [...unlit(20), ...lit, ...slow])?.members).to.equal('1pit 2food');
  });

  it('join with their first value when they have no baseline, also when the last one is of yesterday', () => {
    const first = [...pitShows([0, 20], [10, 80], [15, 80]), shows(2, 20, 21)];
    expect(started(probes, first)?.members).to.equal('1pit 2food');
    const silent = [shows(2, 0, 20), ...pitShows([600, 20], [610, 80], [615, 80])];
    expect(started(probes, silent)?.members).to.equal('1pit');
    const yesterday = [shows(2, 0, 20), shows(2, 1, null), ...pitShows([600, 20], [610, 80], [615, 80])];
    expect(started(probes, yesterday)?.members).to.equal('1pit');
    expect(started(probes, [...yesterday, shows(2, 620, 43)])?.members).to.equal('1pit 2food');
  });

  it('are not storage probes, nor humidity', () => {
    const others = [probeFacts(2, 'Fridge', { role: 'storage' }), probeFacts(3, 'RH', { kind: 'humidity' })];
    const idle = [shows(2, 0, 20), ...pitShows([0, 20]), shows(2, 9, 30), shows(3, 9, 60)];
    const rows = [...idle, ...pitShows([10, 80], [15, 80]), shows(2, 20, 4), shows(3, 20, 60)];
    expect(started([probeFacts(1, 'Pit'), ...others], rows)?.members).to.equal('1pit');
    const { world } = replay(deviceFacts([probeFacts(1, 'Pit'), ...others]), rows);
    expect(Object.keys(world.detection.probes)).to.deep.equal(['1', '2']);
  });

  it('are all the pits that are hot by then', () => {
    const pits = [probeFacts(1, 'Pit left'), probeFacts(2, 'Pit right'), probeFacts(3, 'Pit spare')];
    const rows = trace({ 1: pit(), 2: pit({ level: 100 }), 3: unplugged(pit(), 0) }, { minutes: 120 });
    expect(started(pits, rows)?.members).to.equal('1pit 2pit');
  });
});

describe('odd deliveries', () => {
  it('of one probe a little behind another leave every clock where it is', () => {
    const probes = [probeFacts(1, 'Pit'), probeFacts(2)];
    const food = meat([0, 4], [400, 90]);
    const rows = trace({ 1: pit(), 2: food }, { minutes: 300 });
    const behind = rows.map((row) =>
      row.probeId === 2 ? { ...row, measuredAtMs: row.measuredAtMs - 90_000 } : row,
    );
    const result = replay(deviceFacts(probes), behind);
    expect(result.events.map(({ kind }) => kind)).to.deep.equal(['started']);
    expect(result.sessions[0]?.members.length).to.equal(2);
  });

  it('of what is known already, of strange probes or of humidity change nothing', () => {
    const { world } = replay(smoker, pitShows([0, 20], [10, 80], [20, 80]));
    const odd = [
      shows(1, 20, 90),
      shows(1, 19, 90),
      shows(9, 21, 90),
      { ...shows(1, 21, 90), unit: 'H' as const },
    ];
    for (const input of odd) {
      const rows = [...pitShows([0, 20], [10, 80], [20, 80]), input];
      expect(replay(smoker, rows).world.detection).to.deep.equal(world.detection);
    }
  });
});
