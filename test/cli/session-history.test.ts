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
      expect(sessions[0]?.probes.map(figuresOf)).to.deep.equal(items(at(shown, 'probes')).map(figuresOf));
      const rows = items(await cli.json(['session', 'export', id]));
      expect(rows).to.have.length(Number(at(shown, 'reading_count')));
      expect(at(rows, '0.measured_at')).to.equal(at(shown, 'start_time'));
    });

  it('refuses a session that is not there', async () => {
    const none = '00000000-0000-7000-8000-000000000000';
    const { code, stdout, stderr } = await cli.run(['session', 'export', none]);
    expect([code, stdout, stderr]).to.deep.equal([
      1,
      '',
      `grill-stats: no session ${none}: session list shows those there are\n`,
    ]);
    expect((await cli.run(['session', 'export', 'x'])).code).to.equal(2);
  });
});
