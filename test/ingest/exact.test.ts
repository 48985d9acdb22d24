import { expect } from 'chai';
import fc from 'fast-check';
import type { DataSource } from 'typeorm';
import { fold } from '../../src/ingest/fold.js';
import { gather, inputsByDevice, toReadings } from '../../src/ingest/gather.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import type { IngestWorld, ProbeState } from '../../src/ingest/types.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { readingKey } from '../../src/readings/reading-store.js';
import { emptyDetection } from '../../src/sessions/detection-state.js';
import { sessionFigures } from '../../src/sessions/roll-up.js';
import type { Session } from '../../src/sessions/types.js';
import {
  addAlert,
  addHome,
  addSession,
  dump,
  HOUR,
  type Home,
  job,
  openDatabase,
  readingsOf,
  T0,
} from './household.js';
import { arrivals, type PlainStats, plainStats, type Taken, takenReadings } from './plain-roll-up.js';

const END = T0 + HOUR;

function toJob(home: Home, taken: readonly Taken[]): ReadingsJob {
  const lists = home.probes.map((_, probe) =>
    taken
      .filter((one) => one.probe === probe)
      .map(({ ms, hundredths, unit, flags }): [number, number, Taken['unit'], number] => [
        ms,
        hundredths / 100,
        unit,
        flags,
      ]),
  );
  return job(home, ...lists);
}

/** Of each probe that has any, and of them together. */
function plainSession(all: readonly Taken[], unit: 'F' | 'C', probes: number, toMs = END) {
  const bounds = { unit, fromMs: T0, toMs };
  const stats = Array.from({ length: probes }, (_, probe) =>
    plainStats(
      all.filter((one) => one.probe === probe),
      bounds,
    ),
  );
  const sum = stats.reduce((total, one) => total + (one?.sumHundredths ?? 0), 0);
  const count = stats.reduce((total, one) => total + (one?.count ?? 0), 0);
  const known = stats.filter((one) => one !== undefined);
  const figures = {
    readingCount: count,
    min: count ? Math.min(...known.map(({ min }) => min)) : null,
    max: count ? Math.max(...known.map(({ max }) => max)) : null,
    avg: count ? sum / (count * 100) : null,
  };
  return { stats, figures };
}

describe('roll-ups of any order, splitting, repetition and batching', () => {
  describe('in the fold', () => {
    const PROBES = 3;
    const HOME: Home = { userId: 1, device: 1, deviceId: 'M1', probes: [11, 12, 13] };

    function world(unit: 'F' | 'C', isOpen: boolean): IngestWorld {
      const session: Session = {
        publicId: 'a',
        id: 1,
        userId: 1,
        deviceId: 'M1',
        sessionType: 'manual',
        status: isOpen ? 'active' : 'completed',
        phase: isOpen ? 'active' : 'ended',
        endReason: isOpen ? null : 'manual',
        startMs: T0,
        endMs: isOpen ? null : END,
        lastReadingMs: null,
        temperatureUnit: unit,
        members: HOME.probes.map((probeId) => ({ probeId, role: 'food', fromMs: null, toMs: null })),
        stats: new Map(),
        rebuild: false,
      };
      const state = (id: number): ProbeState => ({
        id,
        lastMs: null,
        lastHundredths: null,
        lastUnit: null,
        condition: 'ok',
        conditionMs: null,
        learnedIntervalSeconds: null,
      });
      const probes = HOME.probes.map((id) => ({ id, kind: 'temperature' as const, label: null, role: null }));
      const device = {
        id: 1,
        deviceId: 'M1',
        userId: 1,
        type: null,
        model: null,
        temperatureUnit: unit,
        probes,
      };
      return {
        sessions: { device, detection: emptyDetection(), sessions: [session] },
        statedIntervalSeconds: null,
        recordingIntervalSeconds: null,
        reportsOnChange: false,
        probes: new Map(HOME.probes.map((id) => [id, state(id)])),
        alerts: new Map(),
      };
    }

    /** As the transaction does, with a set in place of the table. */
    function ingestAll(before: IngestWorld, batches: Taken[][][]): IngestWorld {
      const stored = new Set<string>();
      return batches.reduce((current, jobs) => {
        const batch = gather(
          jobs.map((taken) => toJob(HOME, taken)),
          [],
        );
        const keys = toReadings(batch, new Map([[1, current]])).readings.map(({ probeId, measuredAtMs }) =>
          readingKey(probeId, measuredAtMs),
        );
        const fresh = new Set(keys.filter((key) => !stored.has(key)));
        for (const key of fresh) stored.add(key);
        return fold(current, inputsByDevice(batch, fresh).get(1) ?? [], () => 'new').world;
      }, before);
    }

    it('equal a plain computation to the last bit', () => {
      const unit = fc.constantFrom<'F' | 'C'>('F', 'C');
      fc.assert(
        fc.property(
          unit,
          fc.boolean(),
          arrivals(takenReadings(PROBES, { maxLength: 60 })),
          (u, isOpen, sent) => {
            const after = ingestAll(world(u, isOpen), sent.batches).sessions.sessions[0];
            if (!after) throw new Error('the session is gone');
            const { stats, figures } = plainSession(
              sent.all,
              u,
              PROBES,
              isOpen ? Number.POSITIVE_INFINITY : END,
            );
            expect(after.rebuild).to.equal(false);
            expect(sessionFigures(after)).to.deep.equal(figures);
            const seen = HOME.probes.map((id): PlainStats | undefined => {
              const one = after.stats.get(id);
              return (
                one && {
                  count: one.count,
                  sumHundredths: one.sumHundredths,
                  min: one.minHundredths / 100,
                  minAtMs: one.minAtMs,
                  max: one.maxHundredths / 100,
                  maxAtMs: one.maxAtMs,
                  avg: one.sumHundredths / (one.count * 100),
                  firstMs: one.firstMs,
                  lastMs: one.lastMs,
                }
              );
            });
            expect(seen).to.deep.equal(stats);
          },
        ),
        { numRuns: 400 },
      );
    });
  });

  describe('in PostgreSQL', () => {
    const PROBES = 2;
    let db: DataSource;
    let close: () => Promise<void>;
    let ingest: Ingest;

    before(async () => {
      ({ db, close } = await openDatabase());
      ingest = createIngest({ dataSource: db });
    });
    after(() => close());

    const toMs = (column: string) => `(extract(epoch FROM ${column}) * 1000)::bigint::float8`;
    async function storedSession(sessionId: number, home: Home) {
      const rows = await db.query<(PlainStats & { probe: number })[]>(
        `SELECT probe_id AS probe, reading_count AS count, temperature_sum_hundredths::float8 AS "sumHundredths",
           min_temperature AS min, ${toMs('min_at')} AS "minAtMs", max_temperature AS max, ${toMs('max_at')} AS "maxAtMs",
           avg_temperature AS avg, ${toMs('first_measured_at')} AS "firstMs", ${toMs('last_measured_at')} AS "lastMs"
         FROM session_probe_stats WHERE session_id = $1`,
        [sessionId],
      );
      const [figures] = await db.query<unknown[]>(
        `SELECT reading_count AS "readingCount", min_temperature AS min, max_temperature AS max, avg_temperature AS avg
         FROM grilling_sessions WHERE id = $1`,
        [sessionId],
      );
      const byProbe = new Map(rows.map(({ probe, ...stats }) => [probe, stats]));
      return { stats: home.probes.map((id) => byProbe.get(id)), figures };
    }

    async function endedSession(unit: 'F' | 'C'): Promise<{ home: Home; sessionId: number }> {
      const home = await addHome(db, { probes: [{ role: 'food' }, { role: 'food' }] });
      const ended = {
        status: 'completed',
        phase: 'ended',
        endReason: 'manual',
        endTime: new Date(END),
      } as const;
      return { home, sessionId: await addSession(db, home, { ...ended, temperatureUnit: unit }) };
    }

    it('equal a plain computation to the last bit, and the same jobs again change no row', async () => {
      const unit = fc.constantFrom<'F' | 'C'>('F', 'C');
      await fc.assert(
        fc.asyncProperty(
          unit,
          arrivals(takenReadings(PROBES, { maxLength: 40 })),
          async (u, { all, batches }) => {
            const { home, sessionId } = await endedSession(u);
            await addAlert(db, home, {
              type: 'range',
              maxTemperature: 200,
              holdSeconds: 0,
              recoverySeconds: 0,
            });
            const jobs = batches.map((batch) => batch.map((taken) => toJob(home, taken)));
            for (const batch of jobs) await ingest(batch);
            expect(await storedSession(sessionId, home)).to.deep.equal(plainSession(all, u, PROBES));
            const mine = (await readingsOf(db)).filter(([probe]) => home.probes.includes(probe));
            expect(mine).to.have.lengthOf(all.length);

            const before = await dump(db);
            const again = await ingest(jobs.flat().reverse());
            expect([again.stored, again.conflicts, again.transitions]).to.deep.equal([[], 0, []]);
            expect(await dump(db)).to.deep.equal(before);
          },
        ),
        { numRuns: 12 },
      );
    });

    it('take a batch as it comes though the rows before it are gone', async () => {
      const { home, sessionId } = await endedSession('F');
      const first = await ingest([
        job(
          home,
          [
            [T0, 100.5],
            [T0 + 1000, 200.25],
          ],
          [[T0, 40, 'C']],
        ),
      ]);
      expect(first.stored).to.have.lengthOf(3);
      await db.query('DELETE FROM readings WHERE probe_id = ANY($1)', [home.probes]);
      await ingest([
        job(home, [
          [T0 + 3000, 50],
          [T0 + 2000, 300.01],
        ]),
      ]);
      const { stats, figures } = await storedSession(sessionId, home);
      expect([stats[0]?.count, stats[0]?.sumHundredths]).to.deep.equal([4, 10_050 + 20_025 + 5_000 + 30_001]);
      expect([stats[1]?.count, stats[1]?.sumHundredths]).to.deep.equal([1, 10_400]);
      expect(figures).to.deep.equal({ readingCount: 5, min: 50, max: 300.01, avg: (65_076 + 10_400) / 500 });
    });

    it('take a running session likewise', async () => {
      const home = await addHome(db, { probes: [{ role: 'food' }] });
      const sessionId = await addSession(db, home, { temperatureUnit: 'C' });
      await ingest([
        job(home, [
          [T0 - 1, 50, 'C'],
          [T0, 60, 'C'],
          [T0 + 60_000, 140],
        ]),
      ]);
      await db.query('DELETE FROM readings WHERE probe_id = ANY($1)', [home.probes]);
      await ingest([job(home, [[T0 + 30_000, 61.5, 'C']])]);
      const { figures } = await storedSession(sessionId, home);
      expect(figures).to.deep.equal({ readingCount: 3, min: 60, max: 61.5, avg: 181.5 / 3 });
    });
  });
});
