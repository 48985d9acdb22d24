import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { DeviceManager } from '../../src/accounts/device-manager.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { addHome, openDatabase } from '../ingest/household.js';
import { failureOf } from '../support/failure-of.js';

describe('DeviceManager', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  before(async () => {
    opened = await openDatabase();
    db = opened.db;
  });
  after(() => opened.close());
  const set = (userId: number, change: Parameters<DeviceManager['set']>[1]) =>
    db.transaction((tx) => new DeviceManager(tx).set(userId, change));

  it('shows the present owner its own probes only', async () => {
    const { deviceId, device } = await addHome(db);
    const next = await addHome(db);
    await db.query('UPDATE devices SET user_id = $1 WHERE id = $2', [next.userId, device]);
    const { probes } = await new DeviceManager(db.manager).get(deviceId, next.userId);
    expect(probes).to.deep.equal([]);
  });

  it('keeps a label that the user gave, until an empty one lets the cloud name the probe again', async () => {
    const { userId, deviceId } = await addHome(db, { probes: [{ label: 'Channel 1' }] });
    const named = await set(userId, { deviceId, probeId: '1', label: 'Brisket', role: 'food' });
    expect(named.probes[0]).to.include({ label: 'Brisket', labelSetByUser: true, role: 'food' });
    const unnamed = await set(userId, { deviceId, probeId: '1', label: '' });
    expect(unnamed.probes[0]).to.include({ label: null, labelSetByUser: false, role: 'food' });
  });

  it('says what there is where something is missing', async () => {
    const { userId, deviceId } = await addHome(db, { probes: [{ label: 'Point' }] });
    const stranger = await addHome(db);
    const foreign = await failureOf(set(stranger.userId, { deviceId, nickname: 'mine' }));
    expect(foreign)
      .to.be.instanceOf(NotFoundError)
      .with.property('message', `no device ${deviceId}; there is ${stranger.deviceId}`);
    const unsaid = await failureOf(set(userId, { deviceId, role: 'pit' }));
    expect(unsaid)
      .to.be.instanceOf(InputError)
      .with.property('message', `--probe is needed: device ${deviceId} has 1 (Point)`);
  });
});
