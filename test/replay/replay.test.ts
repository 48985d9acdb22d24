import { expect } from 'chai';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import { pit, T0 } from '../support/traces.js';

const HEADER = 'device_id,probe_id,measured_at,value,unit,role';
const time = (minute: number) => new Date(T0 + minute * 60_000).toISOString();
const rowsOf = (lines: readonly string[], unit?: 'F' | 'C') =>
  parseTrace(Buffer.from([HEADER, ...lines].join('\n')), unit);

const fire = pit({ on: 60, off: 300, ambient: 20, level: 120, wobble: 2 });
/** A cook on each of these devices, a reading a minute of its pit (probe 1) and its food (probe 10, then 2). */
function cook(devices: readonly string[], { minutes = 500, role = 'pit', after = 0 } = {}): string[] {
  const lines: string[] = [];
  for (let minute = 0; minute < minutes; minute++)
    for (const device of devices)
      lines.push(
        `${device},1,${time(after + minute)},${fire(minute).toFixed(2)},C,${role}`,
        `${device},10,${time(after + minute)},${Math.min(minute, 250) / 10 + 4},C,`,
        `${device},2,${time(after + minute)},40,H,`,
      );
  return lines;
}
const refusal = (alerts: unknown) => {
  try {
    replay(rowsOf(cook(['D1'], { minutes: 3 })), { alertsJson: JSON.stringify(alerts) });
  } catch (error) {
    return String(error);
  }
  return 'none';
};

describe('replay', () => {
  it('gives a cook with its members by probe, in the unit asked for', () => {
    const { sessions } = replay(rowsOf(cook(['D1'])), { temperatureUnit: 'C' });
    expect(sessions).to.have.lengthOf(1);
    const [session] = sessions;
    expect(session).to.include({
      device_id: 'D1',
      session_type: 'auto',
      status: 'completed',
      end_reason: 'cooled',
    });
    expect(session).to.include({ temperature_unit: 'C' });
    expect(session?.probes.map(({ probe_id, role }) => [probe_id, role])).to.deep.equal([
      ['1', 'pit'],
      ['10', 'food'],
    ]);
    const [first, food] = session?.probes ?? [];
    const seconds = ((session?.end_time?.getTime() ?? 0) - (session?.start_time.getTime() ?? 0)) / 1000;
    for (const probe of [first, food])
      expect(probe).to.include({
        seconds_known: seconds,
        seconds_unknown: 0,
        reading_count: seconds / 60 + 1,
      });
    expect(food?.max_temperature).to.equal(29);
    expect(food?.max_at?.toISOString()).to.equal(time(250));
    expect(replay(rowsOf(cook(['D1']))).sessions[0]?.temperature_unit).to.equal('F');
  });

  it('tells unknown time from known, and weights by time', () => {
    const lines = cook(['D1']).filter((_, index) => index < 150 * 3 || index >= 195 * 3);
    const [session] = replay(rowsOf(lines), { temperatureUnit: 'C' }).sessions;
    const [probe] = session?.probes ?? [];
    // 45 readings are missing between minutes 149 and 195; the last one stands for two minutes.
    expect(probe?.seconds_unknown).to.equal((195 - 149 - 2) * 60);
    const steady = ['0,100', '1,100', '2,100', '3,100', '20,200', '21,200'].map((row) => row.split(','));
    const heated = steady.map(([minute, value]) => `D1,1,${time(Number(minute))},${value},C,pit`);
    const [short] = replay(rowsOf(heated), { temperatureUnit: 'C', untilMs: T0 + 24 * 60_000 }).sessions;
    // Two intervals of the longest gap would be 34 min: 15 min hold, both of them.
    expect(short?.probes[0]).to.include({ seconds_known: (3 + 15 + 1 + 3) * 60, seconds_unknown: 120 });
    const weighted = (100 * (3 + 15) + 200 * 4) / 22;
    expect(short?.probes[0]?.time_weighted_avg_temperature).to.be.closeTo(weighted, 1e-9);
    expect(short?.avg_temperature).to.equal(800 / 6);
  });

  it('keeps devices apart, and sorts by time', () => {
    const later = cook(['B'], { after: 30 });
    const [first, second, ...more] = replay(rowsOf([...later, ...cook(['A'])])).sessions;
    expect([first?.device_id, second?.device_id, more.length]).to.deep.equal(['A', 'B', 0]);
  });

  it('ends at the moment asked for: readings after it are left out, timers run until then', () => {
    const rows = rowsOf(cook(['D1']));
    const until = (minute: number) => replay(rows, { untilMs: T0 + minute * 60_000 }).sessions;
    expect(until(60)).to.deep.equal([]);
    expect(until(200)[0]).to.include({ status: 'active', end_reason: null, end_time: null });
    const cut = rowsOf(cook(['D1'], { minutes: 200 }));
    const lost = (minutes: number) => replay(cut, { untilMs: T0 + (199 + minutes) * 60_000 }).sessions[0];
    expect(lost(119)).to.include({ status: 'active' });
    expect(lost(120)).to.include({ status: 'completed', end_reason: 'lost_contact' });
    expect(lost(120)?.end_time?.toISOString()).to.equal(time(199));
    expect(replay(cut).sessions[0]).to.include({ end_reason: 'lost_contact' });
  });

  it('says what a probe is for from the row on that says so, the first word from the beginning', () => {
    const first = replay(rowsOf(cook(['D1'], { role: 'storage' })));
    expect(first.sessions).to.deep.equal([]);
    const lines = cook(['D1'], { role: '' });
    const named = lines.map((line) => (line.startsWith(`D1,1,${time(100)}`) ? `${line}pit` : line));
    expect(replay(rowsOf(named)).sessions[0]?.probes[0]).to.include({ probe_id: '1', role: 'pit' });
    const renamed = named.map((line) => (line.startsWith(`D1,10,${time(0)}`) ? `${line}food` : line));
    const [session] = replay(
      rowsOf(renamed.map((line) => (line.startsWith(`D1,10,${time(50)}`) ? `${line}storage` : line))),
    ).sessions;
    expect(session?.probes.map(({ probe_id }) => probe_id)).to.deep.equal(['1']);
  });

  it('keeps the first of two values for one time, and tells nobody of a late one', () => {
    const lines = cook(['D1']);
    const plain = replay(rowsOf(lines));
    const again = `D1,10,${time(250)},99,C,`;
    const hot = [{ alert_type: 'target', probe_id: '10', target_temperature: 90, temperature_unit: 'C' }];
    const repeated = [...lines.slice(0, 900), again, ...lines.slice(900)];
    expect(replay(rowsOf(repeated), { alertsJson: JSON.stringify(hot) })).to.deep.equal(plain);
    const late = repeated.filter((line) => !line.startsWith(`D1,10,${time(250)}`));
    const [session] = replay(rowsOf([...late, again]), { alertsJson: JSON.stringify(hot) }).sessions;
    expect(session?.probes[1]).to.include({ max_temperature: 210.2 });
    expect(session?.reading_count).to.equal(plain.sessions[0]?.reading_count);
    expect(replay(rowsOf([...late, again]), { alertsJson: JSON.stringify(hot) }).events).to.deep.equal([]);
  });

  it('judges a cook by its exact start, which is a reading', () => {
    // Back-dated by 30 minutes, where there is none: it began with the first hot one and lasted ten.
    const values = { 0: 20, 10: 30, 20: 40, 60: 90, 65: 95, 70: 95 };
    const lines = Object.entries(values).map(
      ([minute, value]) => `D1,1,${time(Number(minute))},${value},C,pit`,
    );
    const [session] = replay(rowsOf(lines)).sessions;
    expect(session).to.include({ status: 'cancelled', end_reason: 'lost_contact' });
    expect(session?.start_time.toISOString()).to.equal(time(60));
  });

  it('goes on with a cook that lost contact, within six hours', () => {
    const lostFor = (minutes: number) =>
      replay(rowsOf(cook(['D1'], { minutes: 200 }).concat(`D1,1,${time(199 + minutes)},110,C,`))).sessions;
    expect(lostFor(360).map(({ reading_count }) => reading_count)).to.deep.equal([
      (lostFor(361)[0]?.reading_count ?? 0) + 1,
    ]);
    expect(lostFor(361)[0]?.end_time?.toISOString()).to.equal(time(199));
  });

  it('tells two events of one reading in the order that live ingest has', () => {
    const lines = [50, 10, 10, 90].map((value, minute) => `D1,1,${time(minute)},${value},C,`);
    const swing = { alert_type: 'range', min_temperature: 20, max_temperature: 80, temperature_unit: 'C' };
    const alertsJson = JSON.stringify([{ ...swing, hold_seconds: 0, recovery_seconds: 0 }]);
    const { events } = replay(rowsOf(lines), { alertsJson });
    expect(events.map(({ kind, side }) => `${kind} ${side}`)).to.deep.equal([
      ...['fired low', 'fired high', 'resolved low'],
    ]);
  });

  it('does the same with no rows, and takes alerts as alert list prints them', () => {
    expect(replay([])).to.deep.equal({ sessions: [], events: [] });
    const listed = {
      id: 'x',
      alert_type: 'range',
      probe_id: '1',
      max_temperature: 80,
      temperature_unit: 'C',
    };
    const more = {
      min_temperature: null,
      repeat_seconds: 0,
      last_triggered: null,
      states: [],
      direction: null,
    };
    const off = { alert_type: 'target', probe_id: '1', target_temperature: 50, is_active: false };
    const alertsJson = JSON.stringify([{ ...listed, ...more }, off]);
    const { events } = replay(rowsOf(cook(['D1'])), { alertsJson });
    expect(events.map(({ alert, kind, side }) => [alert, kind, side])).to.deep.equal([
      ['alerts[0]', 'fired', 'high'],
      ['alerts[0]', 'resolved', 'high'],
    ]);
  });

  it('gives alerts the defaults of their probe: its role, its unit, its interval', () => {
    const slow = cook(['D1']).filter((_, index) => Math.floor(index / 3) % 5 === 0);
    const alertsJson = JSON.stringify([{ alert_type: 'range', probe_id: '1', max_temperature: 200 }]);
    const [fired, resolved] = replay(rowsOf(slow), { alertsJson }).events;
    const above = (minute: number) => fire(minute) * 1.8 + 32;
    const first = [...Array(500).keys()].find((minute) => minute % 5 === 0 && above(minute) > 200) ?? 0;
    // A pit holds for three minutes: the next reading.
    expect(fired?.measured_at.toISOString()).to.equal(time(first + 5));
    const back = [...Array(500).keys()].find((m) => m > 300 && m % 5 === 0 && above(m) < 195) ?? 0;
    expect(resolved?.measured_at.toISOString()).to.equal(time(back + 10)); // two intervals
  });

  const range = { alert_type: 'range', probe_id: '1', max_temperature: 200 };
  const refusals: [name: string, alerts: unknown, said: string][] = [
    ['a type that is not there', [range, { alert_type: 'deadline' }], '[1]: alert_type must be one of'],
    [
      'a battery, which has no probe',
      [{ alert_type: 'battery', probe_id: '1' }],
      '[0]: probe_id is not for a battery alert',
    ],
    ['no type', [{ probe_id: '1' }], '[0]: alert_type must be a text'],
    [
      'a limit that is missing',
      [range, { ...range, max_temperature: null }],
      '[1]: a range needs critical_min_',
    ],
    ['a limit out of bounds', [{ ...range, max_temperature: 1e308 }], '[0]: max_temperature must be within'],
    ['a column that is none', [{ ...range, max_temprature: 1 }], '[0]: max_temprature is not an option'],
    ['another device', [{ ...range, device_id: 'D2' }], '[0]: device_id must be one of the trace: D1'],
    [
      'another probe',
      [{ ...range, probe_id: '3' }],
      '[0]: probe_id must be one that measures temperature on D1: 1, 10',
    ],
    ['humidity', [{ ...range, probe_id: '2' }], '[0]: probe_id must be one that measures temperature'],
    ['no probe where there are two', [{ ...range, probe_id: null }], '[0]: probe_id must be'],
    ['what is no array', { alerts: [] }, 'it must be an array of alerts'],
  ];
  for (const [name, alerts, said] of refusals)
    it(`refuses an alert with ${name}`, () => expect(refusal(alerts)).to.include(said));

  it('refuses what is not JSON', () => {
    expect(() => replay([], { alertsJson: '[{' })).to.throw('it is not JSON');
  });
});
