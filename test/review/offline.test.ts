import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { AlertState } from '../../src/entities/alert-state.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { Probe } from '../../src/entities/probe.js';
import { createIngest, type Ingest } from '../../src/ingest/ingest.js';
import { addAlert, addHome, addSession, job, MINUTE, openDatabase, T0 } from '../ingest/household.js';

describe('a device that the cloud calls offline', () => {
  let database: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  let ingest: Ingest;
  before(async () => {
    database = await openDatabase();
    db = database.db;
    ingest = createIngest({ dataSource: db });
  });
  after(() => database.close());

  async function cook(told: 'offline' | 'absent') {
    const home = await addHome(db);
    const id = await addSession(db, home);
    const alertId = await addAlert(db, home);
    await ingest([
      job(
        home,
        [...Array(11).keys()].map((minute) => [T0 + minute * MINUTE, 150]),
      ),
    ]);
    await ingest([job(home, [[T0 + 11 * MINUTE, told]])]);
    await ingest([], [{ device: home.device, nowMs: T0 + 45 * MINUTE }]);
    const look = async () => {
      const session = await db.manager.findOneByOrFail(GrillingSession, { id });
      const probe = await db.manager.findOneByOrFail(Probe, { deviceId: home.deviceId });
      const state = await db.manager.findOneByOrFail(AlertState, { alertId });
      const { status, phase, endReason } = session;
      return { status, phase, endReason, state: probe.state, isUnknown: state.isUnknown };
    };
    return { home, look };
  }

  it('has probes without a value and alerts that know nothing; its cook waits and goes on', async () => {
    const { home, look } = await cook('offline');
    const silent = { state: 'absent', isUnknown: true };
    expect(await look()).to.deep.equal({ status: 'active', phase: 'paused', endReason: null, ...silent });
    await ingest([job(home, [[T0 + 46 * MINUTE, 150]])]);
    const shown = { state: 'ok', isUnknown: false };
    expect(await look()).to.deep.equal({ status: 'active', phase: 'active', endReason: null, ...shown });
  });

  it('is another case than a probe that was unplugged, which ends the cook', async () => {
    const { look } = await cook('absent');
    expect(await look()).to.include({ status: 'completed', endReason: 'unplugged', state: 'absent' });
  });
});
