import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { loadSpans } from '../../src/readings/reading-store.js';
import { rebuildSessions } from '../../src/sessions/rebuild.js';
import { isLong } from '../../src/sessions/rebuild-long.js';
import { rebuildRollUps } from '../../src/sessions/roll-up.js';
import { loadSessions } from '../../src/sessions/session-store.js';
import { addHome, addSession, HOUR, type Home, openDatabase, T0 } from '../ingest/household.js';

describe('a session of some days', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  before(async () => {
    ({ db, close } = await openDatabase());
  });
  after(() => close());

  /** Every seven minutes of three days: food from the start on, the pit two hours later. */
  async function shown({ probes: [pit = 0, food = 0] }: Home): Promise<void> {
    await db.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
       SELECT probe, at, 100 + 50 * sin(date_part('epoch', at) / 5000) + probe,
         CASE WHEN n % 2 = 0 THEN 'F' ELSE 'C' END, CASE WHEN n % 10 = 0 THEN 1 ELSE 0 END
       FROM (SELECT n, to_timestamp($1::float8 / 1000) + n * interval '7 minutes' AS at FROM generate_series(1, 620) n) t,
         (VALUES ($2::integer, 120), ($3::integer, 0)) p (probe, after)
       WHERE n * 7 >= after`,
      [T0, pit, food],
    );
  }

  const endTime = new Date(T0 + 70 * HOUR);
  const cases = [
    { name: 'begun by its pit', isStarted: true, sessionType: 'auto', endTime },
    { name: 'automatic', isStarted: false, sessionType: 'auto', endTime },
    {
      name: 'begun by hand, running',
      isStarted: false,
      sessionType: 'manual',
      lastReadingAt: new Date(T0 + 60 * HOUR),
    },
  ] as const;
  for (const { name, isStarted, ...given } of cases)
    it(`is what its readings give at once: ${name}`, async () => {
      const home = await addHome(db, { probes: [{}, {}] });
      await shown(home);
      const ended = 'endTime' in given ? ({ status: 'completed', phase: 'ended' } as const) : {};
      await addSession(db, home, { ...given, ...ended });
      const [session] = await loadSessions(db.manager, [home.deviceId], T0);
      if (!session) throw new Error('there is no session');
      expect(isLong(session)).to.equal(true);
      const startedBy = isStarted ? home.probes[0] : undefined;
      const stale = { ...session, ...(startedBy !== undefined && { startedBy }), rebuild: true };
      const spans = home.probes.map((probeId) => ({ probeId, fromMs: T0, toMs: null }));
      const rows = (await loadSpans(db.manager, spans)).flat();
      const [rebuilt] = await rebuildSessions(db.manager, [stale]);
      expect(rebuilt).to.deep.equal(rebuildRollUps(stale, rows));
      expect(rebuilt?.stats.get(home.probes[0] ?? 0)?.count).to.be.above(400);
    });
});
