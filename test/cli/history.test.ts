import { expect } from 'chai';
import { insertNewReadings, type NewReading } from '../../src/readings/reading-store.js';
import type { Unit } from '../../src/readings/sample.js';
import { addHome, HOUR, type Home, MINUTE, SECOND } from '../ingest/household.js';
import { type CommandLine, openCommandLine } from './command-line.js';

const DAY = 24 * HOUR;
/** Long ago by any clock: a UTC midnight, and its noon. */
const DAY0 = Date.UTC(2025, 2, 1);
const T0 = DAY0 + 12 * HOUR;
const iso = (ms: number) => new Date(ms).toISOString();
const range = (fromMs: number, toMs: number) => ['--from', iso(fromMs), '--to', iso(toMs)];

describe('the history of a device', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await openCommandLine();
  });
  after(() => cli.close());

  const store = (probeId: number, timesMs: number[], value: (ms: number) => number, unit: Unit = 'C') =>
    insertNewReadings(
      cli.dataSource.manager,
      timesMs.map(
        (measuredAtMs): NewReading => ({ probeId, measuredAtMs, value: value(measuredAtMs), unit, flags: 0 }),
      ),
    );
  const times = (fromMs: number, count: number, everyMs: number) =>
    Array.from({ length: count }, (_, index) => fromMs + index * everyMs);
  const fail = async (args: string[]) => {
    const { code, stdout, stderr } = await cli.run(args);
    expect([code, stdout], args.join(' ')).to.deep.equal([1, '']);
    return stderr;
  };

  describe('gap list', () => {
    let home: Home;
    let list: string[];
    before(async () => {
      home = await addHome(cli.dataSource, { probes: [{}, {}] });
      list = ['gap', 'list', '--device', home.deviceId];
      await cli.dataSource.query(
        `INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause, status) VALUES
           ($2, $4, $5, 'service', 'lost'), ($1, $3, $4, 'offline', 'open')`,
        [...home.probes, ...[0, 1, 2].map((hours) => new Date(T0 + hours * HOUR))],
      );
    });

    it('shows what was not observed, by time', async () => {
      const first = {
        probe_id: '1',
        gap_start: iso(T0),
        gap_end: iso(T0 + HOUR),
        cause: 'offline',
        status: 'open',
      };
      const second = {
        probe_id: '2',
        gap_start: iso(T0 + HOUR),
        gap_end: iso(T0 + 2 * HOUR),
        cause: 'service',
      };
      const shared = { device_id: home.deviceId, seconds: 3600 };
      expect(await cli.json(list)).to.deep.equal([
        { ...shared, ...first },
        { ...shared, ...second, status: 'lost' },
      ]);
      expect((await cli.run(list)).stdout).to.match(
        /^probe_id +gap_start +gap_end +seconds +cause +status\n1 /,
      );
    });

    it('leaves out what does not reach into the range', async () => {
      const causes = async (fromMs: number, toMs: number) => {
        const gaps = await cli.json([...list, ...range(fromMs, toMs)]);
        return JSON.stringify(gaps).match(/offline|service/g);
      };
      expect(await causes(T0 + HOUR, T0 + 2 * HOUR)).to.deep.equal(['service']);
      expect(await causes(T0 - HOUR, T0 + HOUR)).to.deep.equal(['offline']);
      expect(await causes(T0 + HOUR - 1, T0 + HOUR + 1)).to.deep.equal(['offline', 'service']);
    });

    it('refuses a device that is not there and a range that cannot be', async () => {
      expect(await fail(['gap', 'list', '--device', 'D9'])).to.include('no device D9; there is');
      expect(await fail([...list, ...range(T0, T0 - 1)])).to.include('must be after --from');
      expect(await fail([...list, '--from', '2125-01-01T00:00:00Z'])).to.include('--from is in the future');
      expect((await cli.run([...list, '--from', 'yesterday'])).code).to.equal(2);
    });
  });

  describe('reading completeness', () => {
    const ask = (home: Home, fromMs: number, toMs: number) =>
      cli.json(['reading', 'completeness', '--device', home.deviceId, ...range(fromMs, toMs)]);
    const rowOf = ({ deviceId }: Home, probe: number, day: number) => ({
      device_id: deviceId,
      probe_id: `${probe}`,
      day: iso(DAY0 + day * DAY).slice(0, 10),
    });

    it('counts by probe and UTC day what the device’s interval lets expect, from the first reading on', async () => {
      const probes = [{}, { learnedIntervalSeconds: 1 }, {}];
      const home = await addHome(cli.dataSource, { device: { transmitIntervalSeconds: 600 }, probes });
      const [one = 0, two = 0] = home.probes;
      await store(one, times(DAY0 - DAY, 3, 10 * MINUTE), () => 20);
      await store(one, times(DAY0, 143, 10 * MINUTE), () => 20);
      await store(two, times(DAY0 + 18 * HOUR, 36, 10 * MINUTE), () => 20);
      await store(two, times(DAY0 + DAY, 72, 10 * MINUTE), () => 20);
      expect(await ask(home, DAY0, DAY0 + DAY + 12 * HOUR)).to.deep.equal([
        { ...rowOf(home, 1, 0), expected: 144, stored: 143, percent: 99.3 },
        { ...rowOf(home, 1, 1), expected: 72, stored: 0, percent: 0 },
        { ...rowOf(home, 2, 0), expected: 36, stored: 36, percent: 100 },
        { ...rowOf(home, 2, 1), expected: 72, stored: 72, percent: 100 },
      ]);
    });

    it('goes by what was learned, and expects nothing of probes that report changes', async () => {
      const learned = await addHome(cli.dataSource, { probes: [{ learnedIntervalSeconds: 60 }, {}] });
      const device = { model: 'RFX MEAT', transmitIntervalSeconds: 60 };
      const onChange = await addHome(cli.dataSource, { device });
      for (const probe of [...learned.probes, ...onChange.probes])
        await store(probe, times(DAY0, 30, 30 * SECOND), () => 20);
      const nothing = { expected: null, stored: 30, percent: null };
      expect(await ask(learned, DAY0, DAY0 + HOUR)).to.deep.equal([
        { ...rowOf(learned, 1, 0), expected: 60, stored: 30, percent: 50 },
        { ...rowOf(learned, 2, 0), ...nothing },
      ]);
      expect(await ask(onChange, DAY0, DAY0 + HOUR)).to.deep.equal([
        { ...rowOf(onChange, 1, 0), ...nothing },
      ]);
    });

    it('refuses more than a year', async () => {
      const { deviceId } = await addHome(cli.dataSource);
      const asked = ['reading', 'completeness', '--device', deviceId, ...range(DAY0 - 400 * DAY, DAY0)];
      expect(await fail(asked)).to.include('the range has 400 days: ask for 366 at most');
    });
  });
});
