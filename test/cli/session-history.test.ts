import { expect } from 'chai';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import { addHome, HOUR, type Home, job, MINUTE } from '../ingest/household.js';
import { type Curve, dropout, meat, pit } from '../support/traces.js';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

/** Long ago by any clock. */
const T0 = Date.UTC(2025, 2, 1);
const FIGURES = ['reading_count', 'min_temperature', 'max_temperature', 'avg_temperature'];
const TIMES = ['time_weighted_avg_temperature', 'seconds_known', 'seconds_unknown'];

describe('the history of a session', () => {
  let cli: CommandLine;
  let ingest: Ingest;
  before(async () => {
    cli = await openCommandLine();
    ingest = createIngest({ dataSource: cli.dataSource });
  });
  after(() => cli.close());

  /** Ten hours of these probes; @returns the home, and the id of the cook that was found */
  async function cooked(
    curves: Curve[],
    everyMinutes: number,
    unit: 'F' | 'C' = 'C',
  ): Promise<[Home, string]> {
    const labels = ['Pit', 'Point', 'Flat'];
    const probes = curves.map((_, index) => ({ label: labels[index] ?? null }));
    const home = await addHome(cli.dataSource, { user: { temperatureUnit: unit }, probes });
    const samples = curves.map((curve) => {
      const shown: [number, number, 'C'][] = [];
      for (let minute = 0; minute < 600; minute += everyMinutes) {
        const celsius = curve(minute);
        if (typeof celsius === 'number')
          shown.push([T0 + minute * MINUTE, Math.round(celsius * 100) / 100, 'C']);
      }
      return shown;
    });
    await ingest([job(home, ...samples)]);
    await ingest([], [{ device: home.device, nowMs: T0 + 24 * HOUR }]);
    const sessions: unknown = await cli.dataSource.query(
      'SELECT public_id FROM grilling_sessions WHERE device_id = $1',
      [home.deviceId],
    );
    expect(items(sessions)).to.have.length(1);
    return [home, String(at(sessions, '0.public_id'))];
  }

  const undated = (row: unknown) =>
    JSON.stringify(row, (name, value: unknown) => (name === 'updated_at' ? undefined : value));
  const figuresOf = (row: unknown) => FIGURES.map((name) => at(row, name));

  const fire = pit({ on: 90, off: 300 });
  const brisket = meat([0, 4], [90, 4], [300, 93], [500, 20]);
  const cooks: [name: string, curves: Curve[], everyMinutes: number, unit: 'F' | 'C'][] = [
    ['every minute', [fire, brisket], 1, 'C'],
    ['in °F, with a dropout', [dropout(fire, 150, 195), dropout(brisket, 150, 195), () => 21], 5, 'F'],
    ['lost for three hours', [dropout(fire, 110, 290), brisket], 2, 'C'],
    ['switched on when hot', [dropout(pit({ on: 20, off: 240, level: 230 }), 0, 60), brisket], 1, 'F'],
  ];
  for (const [name, curves, everyMinutes, unit] of cooks)
    it(`exports a trace of which a replay makes the same session: ${name}`, async () => {
      const [home, id] = await cooked(curves, everyMinutes, unit);
      const shown = await cli.json(['session', 'show', id]);
      const { stdout } = await cli.run(['session', 'export', id, '--format', 'csv']);
      expect(stdout.split('\n')[1]).to.match(new RegExp(`^${home.deviceId},1,[^,]+,[^,]+,C,pit$`));
      const { sessions } = replay(parseTrace(Buffer.from(stdout)), { temperatureUnit: unit });
      expect(sessions.map(figuresOf)).to.deep.equal([figuresOf(shown)]);
      const ofProbe = (row: unknown) => [...FIGURES, ...TIMES].map((figure) => at(row, figure));
      expect(sessions[0]?.probes.map(ofProbe)).to.deep.equal(items(at(shown, 'probes')).map(ofProbe));
      const file = await cli.json(['session', 'export', id]);
      expect(at(file, 'session')).to.deep.include({ id, start_time: at(shown, 'start_time') });
      const rows = items(at(file, 'readings'));
      expect(rows).to.have.length(Number(at(shown, 'reading_count')));
      expect(at(rows, '0.measured_at')).to.equal(at(shown, 'start_time'));
    });

  it('exports a trace of which a replay makes the same session where food cooked alone', async () => {
    const foods = [
      meat([0, 4], [30, 4], [200, 60], [300, 60], [420, 20]),
      meat([0, 4], [500, 60], [599, 30]),
    ];
    for (const food of foods) {
      const [, id] = await cooked([() => undefined, food], 1);
      const shown = await cli.json(['session', 'show', id]);
      const { stdout } = await cli.run(['session', 'export', id, '--format', 'csv']);
      const { sessions } = replay(parseTrace(Buffer.from(stdout)), { temperatureUnit: 'C' });
      expect(sessions.map(figuresOf)).to.deep.equal([figuresOf(shown)]);
      expect(sessions.map(({ start_time }) => start_time.toISOString())).to.deep.equal([
        at(shown, 'start_time'),
      ]);
    }
  });

  it('shows for how long each probe was known', async () => {
    // From minute 60 to 160: lost between 100 and 150, of which the value at 95 covers ten minutes.
    const hot = dropout((minute) => (minute < 60 ? 20 : 120), 100, 150);
    const [home, id] = await cooked([hot], 5);
    await cli.dataSource.query('UPDATE grilling_sessions SET end_time = $2 WHERE device_id = $1', [
      home.deviceId,
      new Date(T0 + 160 * MINUTE),
    ]);
    const probe = at(await cli.json(['session', 'show', id]), 'probes.0');
    expect(probe).to.include({
      time_weighted_avg_temperature: 120,
      seconds_known: 3300,
      seconds_unknown: 2700,
    });
    expect(at(probe, 'coverage_percent')).to.equal(55);
    expect((await cli.run(['session', 'show', id])).stdout).to.match(/^probes\n.* coverage_percent/m);
    expect(probe).to.include({ seconds_in_range: null, seconds_above: null, temperature_p50: 120 });
    expect(at(probe, 'seconds_below')).to.equal(null);
  });

  it('shows how long each probe was in, above and below the range that its user set', async () => {
    // From minute 60 on 100 °C, then 120 from minute 100 and 140 from 150 to 160.
    const steps: Curve = (minute) => {
      if (minute < 60 || minute > 160) return 20;
      return minute < 100 ? 100 : minute < 150 ? 120 : 140;
    };
    const [home, id] = await cooked([steps], 5);
    const { deviceId } = home;
    await cli.dataSource.query(
      'UPDATE grilling_sessions SET end_time = $2, start_time = $3 WHERE device_id = $1',
      [deviceId, new Date(T0 + 160 * MINUTE), new Date(T0 + 60 * MINUTE)],
    );
    const [owner] = await cli.dataSource.query<{ email: string }[]>('SELECT email FROM users WHERE id = $1', [
      home.userId,
    ]);
    const set = ['device', 'set', '--email', owner?.email ?? '', '--device', deviceId, '--probe', '1'];
    const shown = async (...options: string[]) => {
      await cli.json([...set, ...options]);
      const probe = at(await cli.json(['session', 'show', id]), 'probes.0');
      return ['seconds_in_range', 'seconds_above', 'seconds_below'].map((name) => at(probe, name));
    };
    const all = ['--min-temperature', '110', '--max-temperature', '120'];
    expect(await shown(...all)).to.deep.equal([3000, 600, 2400]);
    expect(await shown('--max-temperature', '119.99')).to.deep.equal([0, 3600, 2400]);
    expect(await shown('--min-temperature', 'none')).to.deep.equal([2400, 3600, 0]);
    expect(await shown('--max-temperature', 'none')).to.deep.equal([null, null, null]);
    const inF = ['--min-temperature', '230', '--max-temperature', '248', '--temperature-unit', 'F'];
    expect(await shown(...inF)).to.deep.equal([3000, 600, 2400]);
    const spread = at(await cli.json(['session', 'show', id]), 'probes.0');
    expect(spread).to.include({ temperature_p5: 100, temperature_p50: 120, temperature_p95: 140 });
  });

  it('recomputes from the stored readings, and tells what changed', async () => {
    const [home, id] = await cooked([fire, brisket], 5);
    const before = await cli.json(['session', 'show', id]);
    const recompute = ['session', 'recompute', id];
    const count = Number(at(before, 'reading_count'));
    expect(await cli.json(recompute)).to.deep.equal({ id, reading_count: count, changes: [] });
    await cli.dataSource.query(
      `WITH s AS (UPDATE grilling_sessions SET avg_temperature = 1 WHERE public_id = $1 RETURNING id)
       UPDATE session_probe_stats SET max_temperature = 999, max_at = now() WHERE probe_id = $2`,
      [id, home.probes[1]],
    );
    const wrong = await cli.run(recompute);
    expect(wrong.stdout).to.match(
      new RegExp(`^${count} readings\nprobe_id +figure +before +after\n- +avg_temperature +1 `),
    );
    expect(wrong.stdout).to.match(/^2 +max_temperature +999 +\d/m);
    expect((await cli.run(recompute)).stdout).to.equal(`${count} readings\nnothing changed\n`);
    const after = await cli.json(['session', 'show', id]);
    expect(undated(after)).to.equal(undated(before));
  });

  it('recomputes what was stored beside ingest', async () => {
    const [home, id] = await cooked([fire], 5);
    const startTime = at(await cli.json(['session', 'show', id]), 'start_time');
    await cli.dataSource.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit) VALUES ($1, $2::timestamptz + interval '1 minute', 300, 'C')`,
      [home.probes[0], startTime],
    );
    const changes = items(at(await cli.json(['session', 'recompute', id]), 'changes'));
    const max = changes.find((one) => at(one, 'figure') === 'max_temperature' && at(one, 'probe_id') === '1');
    expect(at(max, 'after')).to.equal(300);
  });

  it('refuses a session that is not there', async () => {
    const none = '00000000-0000-7000-8000-000000000000';
    for (const command of ['export', 'recompute']) {
      const { code, stdout, stderr } = await cli.run(['session', command, none]);
      const why = `no session ${none}: session list shows those there are`;
      expect([code, stdout, stderr]).to.deep.equal([1, '', `grill-stats: ${why}\n`]);
    }
    expect((await cli.run(['session', 'export', 'x'])).code).to.equal(2);
  });
});
