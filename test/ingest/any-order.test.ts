import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import type { JobSample } from '../../src/queues/jobs.js';
import type { ProbeRole } from '../../src/readings/sample.js';
import { replay } from '../../src/replay/replay.js';
import { parseTrace } from '../../src/replay/trace.js';
import { cooks, csvOf, type Shown } from '../replay/recorded-cook.js';
import { addHome, HOUR, type Home, job, openDatabase } from './household.js';

const DAY = 24 * HOUR;

interface Roles {
  1: ProbeRole | null;
  2: ProbeRole | null;
}

/** Cooks of some days, one after the other. */
const days = fc.array(fc.tuple(cooks, fc.constantFrom(1, 3)), { minLength: 1, maxLength: 3 }).map((list) => {
  let offset = 0;
  return list.flatMap(([rows, gap]) => {
    const shifted = rows.map((row) => ({ ...row, ms: row.ms + offset }));
    offset += gap * DAY;
    return shifted;
  });
});

/** By probe, as the user set them; null: left to the guess. */
const roles = fc.constantFrom<Roles>(
  { 1: 'pit', 2: 'food' },
  { 1: null, 2: null },
  { 1: 'other', 2: 'food' },
);

/** The rows in jobs that do not come in order, some of them twice. */
const jobs = fc
  .tuple(days, fc.array(fc.nat(), { minLength: 30, maxLength: 30 }), fc.constantFrom(4, 10), fc.boolean())
  .map(([rows, keys, count, isByProbe]) => {
    const key = (index: number) => keys[index % keys.length] ?? 0;
    const batches: Shown[][] = Array.from({ length: count }, () => []);
    for (const [index, row] of rows.entries()) {
      // Neighbours mostly come together; some rows go astray.
      const part = Math.floor((index / rows.length) * count);
      const astray = key(index) % 11 === 0 ? key(index * 7 + 1) : 0;
      batches[(part + astray) % count]?.push(row);
    }
    const arrived = isByProbe
      ? batches.flatMap((batch) => ['2', '1'].map((probe) => batch.filter((row) => row.probe === probe)))
      : batches;
    const swapped = arrived.map((batch, index) => ({ batch, at: index + (key(index) % 4) }));
    const order = swapped.sort((a, b) => a.at - b.at).map(({ batch }) => batch);
    return { rows, order: [...order, ...order.slice(0, 1)].filter((batch) => batch.length > 0) };
  });

describe('automatic sessions', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  after(() => close());

  async function ingested(order: readonly Shown[][], given: Roles, untilMs: number): Promise<unknown> {
    const home = await addHome(db, { probes: [{ role: given[1] }, { role: given[2] }] });
    const samples = (batch: readonly Shown[], probe: string) =>
      batch
        .filter((row) => row.probe === probe)
        .map(({ ms, value, unit }): JobSample => [ms, value === '' ? 'absent' : Number(value), unit, 0]);
    for (const batch of order) await ingest([job(home, samples(batch, '1'), samples(batch, '2'))]);
    await ingest([], [{ device: home.device, nowMs: untilMs }]);
    return stored(home);
  }

  const ms = (column: string) => `(extract(epoch FROM ${column}) * 1000)::bigint`;
  async function stored({ deviceId }: Home) {
    const rows = await db.query<{ row: unknown }[]>(
      `SELECT jsonb_build_array(s.status, s.end_reason, ${ms('s.start_time')}, ${ms('s.end_time')}, s.reading_count, jsonb_agg(
         jsonb_build_array(p.probe_id, m.role, coalesce(r.reading_count, 0), r.min_temperature, r.max_temperature)
           ORDER BY p.probe_id)) AS row
       FROM grilling_sessions s JOIN session_members m ON m.session_id = s.id JOIN probes p ON p.id = m.probe_id
       LEFT JOIN session_probe_stats r ON r.session_id = s.id AND r.probe_id = p.id
       WHERE s.device_id = $1 AND s.status <> 'cancelled' GROUP BY s.id ORDER BY s.start_time`,
      [deviceId],
    );
    return rows.map(({ row }) => row);
  }

  function expected(rows: readonly Shown[], given: Roles, untilMs: number) {
    const text = csvOf(rows, { 1: given[1] ?? '', 2: given[2] ?? '' });
    const { sessions } = replay(parseTrace(Buffer.from(text)), { untilMs });
    return sessions
      .filter(({ status }) => status !== 'cancelled')
      .map((one) => [
        ...[
          one.status,
          one.end_reason,
          one.start_time.getTime(),
          one.end_time?.getTime() ?? null,
          one.reading_count,
        ],
        one.probes.map((p) => [p.probe_id, p.role, p.reading_count, p.min_temperature, p.max_temperature]),
      ]);
  }

  it('are the same in whatever jobs and order their readings come', async function () {
    this.timeout(180_000);
    let found = 0;
    await fc.assert(
      fc.asyncProperty(jobs, roles, async ({ rows, order }, given) => {
        const untilMs = Math.max(...rows.map(({ ms }) => ms)) + 12 * HOUR;
        const wanted = expected(rows, given, untilMs);
        found += wanted.length;
        expect(await ingested(order, given, untilMs)).to.deep.equal(wanted);
      }),
      { numRuns: 4, seed: 7, endOnFailure: true },
    );
    expect(found).to.be.greaterThan(4);
  });
});
