import { Readable } from 'node:stream';
import { expect } from 'chai';
import { runCli } from '../../src/cli/index.js';
import { insertNewReadings, type NewReading } from '../../src/readings/reading-store.js';
import type { Unit } from '../../src/readings/sample.js';
import { parseTrace } from '../../src/replay/trace.js';
import { addHome, addSession, HOUR, type Home, MINUTE, SECOND } from '../ingest/household.js';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

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

  describe('reading export', () => {
    let home: Home;
    let command: string[];
    before(async () => {
      const probes = [{ label: '=Pit' }, { label: 'Point' }, { kind: 'humidity' as const }];
      home = await addHome(cli.dataSource, { probes });
      command = ['reading', 'export', '--device', home.deviceId];
      const [pit = 0, food = 0, humid = 0] = home.probes;
      await store(pit, times(DAY0, 3, DAY), (ms) => (DAY0 + DAY - ms) / DAY + 0.25);
      await store(food, [DAY0 + MINUTE], () => 3);
      await store(humid, [DAY0 + MINUTE], () => 61.5, 'H');
    });

    it('writes the readings of the range as replay reads them', async () => {
      const { code, stdout } = await cli.run([...command, ...range(DAY0, DAY0 + 2 * DAY), '--format', 'csv']);
      const cells = (probe: number, ms: number) => `${home.deviceId},${probe},${iso(ms)}`;
      expect([code, stdout.split('\n')]).to.deep.equal([
        0,
        [
          'device_id,probe_id,measured_at,value,unit,role',
          `${cells(1, DAY0)},1.25,C,pit`,
          `${cells(2, DAY0 + MINUTE)},3,C,food`,
          `${cells(3, DAY0 + MINUTE)},61.5,H,food`,
          `${cells(1, DAY0 + DAY)},0.25,C,pit`,
          '',
        ],
      ]);
      expect(parseTrace(Buffer.from(stdout)).map(({ hundredths }) => hundredths)).to.deep.equal([
        125, 300, 6150, 25,
      ]);
    });

    it('writes no more while the reader is behind', async () => {
      let [text, isBehind] = ['', false];
      const stdout = {
        write: (part: string) => {
          text += isBehind ? 'written on top' : part;
          isBehind = true;
          return false;
        },
        once: (_: 'drain', drained: () => void) => {
          setImmediate(() => {
            isBehind = false;
            drained();
          });
        },
      };
      const args = [...command, ...range(DAY0, DAY0 + 3 * DAY)];
      const streams = { stdin: Readable.from([]), stdout, stderr: { write: () => true } };
      expect(await runCli(args, cli.env, streams)).to.equal(0);
      expect(text).to.equal((await cli.run(args)).stdout);
    });

    it('writes them as one JSON array, with their flags', async () => {
      const asked = [...command, ...range(DAY0 + DAY, DAY0 + 3 * DAY)];
      const shared = { device_id: home.deviceId, probe_id: '1', unit: 'C', role: 'pit', flags: 0 };
      const written = [
        { ...shared, measured_at: iso(DAY0 + DAY), value: 0.25 },
        { ...shared, measured_at: iso(DAY0 + 2 * DAY), value: -0.75 },
      ];
      expect(await cli.json(asked)).to.deep.equal(written);
      expect(JSON.parse((await cli.run([...asked, '--format', 'json'])).stdout)).to.deep.equal(written);
      expect(await cli.json([...command, ...range(DAY0 - DAY, DAY0)])).to.deep.equal([]);
    });

    it('refuses what cannot be', async () => {
      expect(await fail([...command, ...range(DAY0, DAY0)])).to.include('must be after --from');
      expect(await fail([...command, ...range(DAY0 - 4000 * DAY, DAY0)])).to.include('ask for 3660 at most');
      expect((await cli.run([...command, '--from', iso(DAY0)])).code).to.equal(2);
      expect((await cli.run([...command, ...range(DAY0, DAY0 + DAY), '--format', 'xml'])).code).to.equal(2);
    });
  });

  it('prunes months that are older than the retention, and shows before what would go', async () => {
    const home = await addHome(cli.dataSource);
    const [january = 0, february = 0] = [Date.UTC(2024, 0, 10), Date.UTC(2024, 1, 10)];
    await cli.dataSource.query('SELECT ensure_readings_partitions($1, $2)', [iso(january), iso(february)]);
    await store(home.probes[0] ?? 0, [january, february, february + MINUTE], () => 20);
    await addSession(cli.dataSource, home, {
      startTime: new Date(january - HOUR),
      endTime: new Date(january + HOUR),
    });
    const fates = async (...args: string[]) => {
      const months: unknown = await cli.json(['reading', 'prune', ...args]);
      const shown = ['partition', 'rows', 'fate', 'why'];
      return items(months)
        .slice(0, 2)
        .map((month) => shown.map((name) => at(month, name)));
    };
    const held = ['readings_2024_01', 1, 'keep', 'readings of a session'];
    const old = ['readings_2024_02', 2, 'drop', 'older than the retention'];
    expect(await fates('--dry-run')).to.deep.equal([held, old]);
    const { stdout } = await cli.run(['reading', 'prune', '--dry-run'], {
      env: { READINGS_RETENTION_DAYS: '36500' },
    });
    expect(stdout).to.match(/^partition +rows +bytes +fate +why\n/);
    expect(stdout).not.to.include('drop ');
    expect(await fates()).to.deep.equal([held, [...old.slice(0, 2), 'dropped', old[3]]]);
    expect((await fates('--dry-run'))[1]?.[0]).to.not.equal('readings_2024_02');
  });

  it('draws what the probes of a device showed, and gives the figures as JSON', async () => {
    const home = await addHome(cli.dataSource, { probes: [{ label: 'Pit' }, { label: 'Point' }] });
    const [pit = 0] = home.probes;
    const timesMs = times(DAY0, 24 * 60, MINUTE);
    await store(pit, timesMs, (ms) => Math.floor((ms - DAY0) / HOUR) * 10);
    await cli.dataSource.query('UPDATE probes SET last_measured_at = $2 WHERE id = $1', [
      pit,
      iso(DAY0 + DAY),
    ]);
    const command = ['reading', 'chart', '--device', home.deviceId, ...range(DAY0, DAY0 + DAY)];
    const { stdout } = await cli.run(command);
    expect(stdout).to.match(/^2025-03-01T00:00:00.000Z to 2025-03-02T00:00:00.000Z, 30 min a column, /);
    expect(stdout).to.match(/^Pit +32 +446 +F +▁{6}▂{6}▃{6}▄{6}▅{6}▆{6}▇{6}█{6}$/m);
    const points = items(await cli.json([...command, '--probe', '1']));
    expect(points).to.have.length(1440);
    const shared = { probe_id: '1', unit: 'F', step_seconds: null, count: 1 };
    expect(points[60]).to.include({ ...shared, start: iso(DAY0 + HOUR), min: 50, max: 50, mean: 50 });
    expect(await fail([...command, '--probe', '9'])).to.include('no probe 9');
    expect(await fail(['reading', 'chart', '--device', home.deviceId, ...range(DAY0, DAY0)])).to.include(
      'must be after --from',
    );
  });
});
