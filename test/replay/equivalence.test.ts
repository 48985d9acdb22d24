import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import type { JobBattery, JobSample } from '../../src/queues/jobs.js';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import { addAlert, addHome, HOUR, type Home, job, openDatabase } from '../ingest/household.js';
import { batteryAt, csvOf, inOrder, outOfOrder, ROLES, type Shown } from './recorded-cook.js';

/** Always the same cooks: a rare one that differs is for whoever looks for it, with more runs, not for a build. */
const RUNS = { numRuns: 8, endOnFailure: true };

const ALERTS = [
  {
    probe_id: '2',
    alert_type: 'target',
    target_temperature: 60,
    temperature_unit: 'C',
    recovery_seconds: 240,
  },
  { probe_id: '1', alert_type: 'range', max_temperature: 230, min_temperature: 200, recovery_seconds: 120 },
  {
    probe_id: '2',
    alert_type: 'range',
    max_temperature: 104,
    hold_seconds: 0,
    hysteresis: 0,
    recovery_seconds: 0,
  },
  { probe_id: '1', alert_type: 'rising', window_seconds: 1200, threshold_value: 20, recovery_seconds: 0 },
  { alert_type: 'battery', battery_percent: 80, critical_battery_percent: 60, recovery_seconds: 0 },
  { probe_id: '2', alert_type: 'falling', window_seconds: 900, threshold_value: 5, recovery_seconds: 60 },
].map((alert, index) => ({ name: `${index}`, probe_id: undefined, ...alert }));

function replayed(batches: readonly Shown[][], untilMs: number) {
  // As a batch is taken in: by time, and then by probe.
  const arrived = batches.flatMap((batch) =>
    batch.toSorted((a, b) => a.ms - b.ms || a.probe.localeCompare(b.probe)),
  );
  const rows = parseTrace(Buffer.from(csvOf(arrived)));
  const { sessions, events } = replay(rows, { alertsJson: JSON.stringify(ALERTS), untilMs });
  return {
    sessions: sessions.map(({ device_id, probes, ...session }) => ({
      ...session,
      probes: probes.map(({ time_weighted_avg_temperature, seconds_known, seconds_unknown, ...one }) => one),
    })),
    events: events
      .map(({ alert, kind, side, tier, measured_at, value, unit, detected_late }) =>
        [measured_at.toISOString(), alert, kind, side, tier, value, ...(unit ?? []), detected_late].join(' '),
      )
      .sort(),
  };
}

describe('a replay', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  after(() => close());

  const samplesOf = (batch: readonly Shown[], probe: string): JobSample[] =>
    batch
      .filter((row) => row.probe === probe)
      .map(({ ms, value, unit }): JobSample => [ms, value === '' ? 'absent' : Number(value), unit, 0]);

  async function ingested(batches: readonly Shown[][], untilMs: number) {
    const home = await addHome(db, { probes: Object.values(ROLES).map((role) => ({ role })) });
    for (const { probe_id: probeId, alert_type: type, ...columns } of ALERTS)
      await addAlert(db, home, { probeId, type, ...camelCased(columns) });
    const batteriesOf = (batch: readonly Shown[]) =>
      batch.map(({ ms }): JobBattery => [home.device, ms, batteryAt(ms), null]);
    for (const batch of batches) {
      const readings = job(home, samplesOf(batch, '1'), samplesOf(batch, '2'));
      await ingest([{ ...readings, batteries: batteriesOf(batch) }]);
    }
    await ingest([], [{ device: home.device, nowMs: untilMs }]);
    return { sessions: await storedSessions(home), events: await storedEvents(home) };
  }

  async function storedSessions({ deviceId }: Home) {
    const rows = await db.query<{ id: number }[]>(
      `SELECT id, session_type, status, end_reason, start_time, end_time, temperature_unit, reading_count,
         min_temperature, max_temperature, avg_temperature
       FROM grilling_sessions WHERE device_id = $1 ORDER BY start_time`,
      [deviceId],
    );
    const members = await db.query<{ session_id: number; probe_id: string }[]>(
      `SELECT m.session_id, p.probe_id, m.role, coalesce(s.reading_count, 0) AS reading_count, s.min_temperature,
         s.min_at, s.max_temperature, s.max_at, s.avg_temperature
       FROM session_members m JOIN probes p ON p.id = m.probe_id
       LEFT JOIN session_probe_stats s ON s.session_id = m.session_id AND s.probe_id = m.probe_id
       WHERE p.device_id = $1 ORDER BY p.probe_id`,
      [deviceId],
    );
    return rows.map(({ id, ...session }) => ({
      ...session,
      probes: members.flatMap(({ session_id, ...member }) => (session_id === id ? [member] : [])),
    }));
  }

  async function storedEvents({ deviceId }: Home): Promise<string[]> {
    const rows = await db.query<{ at: Date; text: string }[]>(
      `SELECT e.measured_at AS at, concat_ws(' ', a.name, e.kind, e.side, e.tier, e.value, e.unit, e.detected_late::text) AS text
       FROM alert_events e JOIN temperature_alerts a ON a.id = e.alert_id
       WHERE a.device_id = $1 ORDER BY e.measured_at, a.id, e.id`,
      [deviceId],
    );
    return rows.map(({ at, text }) => `${at.toISOString()} ${text}`).sort();
  }

  async function expectSame(batches: readonly Shown[][]): Promise<void> {
    const newestMs = Math.max(...batches.flat().map(({ ms }) => ms));
    const untilMs = newestMs + 3 * HOUR;
    const [live, again] = [await ingested(batches, untilMs), replayed(batches, untilMs)];
    expect(again).to.deep.equal(live);
  }

  it('is what live ingest stores, in whatever batches the readings come', async function () {
    this.timeout(180_000);
    await fc.assert(fc.asyncProperty(inOrder, expectSame), { ...RUNS, seed: 18 });
  });

  it('is what live ingest stores of late, repeated and contradicting readings', async function () {
    this.timeout(180_000);
    await fc.assert(fc.asyncProperty(outOfOrder, expectSame), { ...RUNS, seed: 38 });
  });
});

function camelCased(columns: Record<string, unknown>): Record<string, unknown> {
  const rename = (name: string) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(columns).map(([name, value]) => [rename(name), value]));
}
