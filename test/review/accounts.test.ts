import { expect } from 'chai';
import type { DataSource, EntitySubscriberInterface } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { CredentialManager } from '../../src/accounts/credential-manager.js';
import { DeviceManager } from '../../src/accounts/device-manager.js';
import { UserManager } from '../../src/accounts/user-manager.js';
import { GrillingSession } from '../../src/entities/grilling-session.js';
import { ThermoworksCredential } from '../../src/entities/thermoworks-credential.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import { addHome, addSession, job, MINUTE, openDatabase, T0 } from '../ingest/household.js';
import { secretBox } from '../poller/parts.js';

describe('accounts and users that others change meanwhile', () => {
  let database: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  before(async () => {
    database = await openDatabase();
    db = database.db;
  });
  afterEach(() => db.query('TRUNCATE users CASCADE'));
  after(() => database.close());

  async function link(userId: number, provider: 'thermoworks' | 'simulator' = 'thermoworks') {
    const tokens = { uid: `uid-${userId}`, accessToken: 'a', refreshToken: 'r', expiresInSeconds: 3600 };
    const user = { accountId: 'acc', preferredUnit: null, timeZone: null };
    return db.transaction((tx) =>
      new CredentialManager(tx).link(userId, { provider, tokens, user }, secretBox),
    );
  }
  const row = (userId: number) => db.manager.findOneByOrFail(ThermoworksCredential, { userId });

  it('a pause leaves tokens alone that a poll stores at the same moment', async () => {
    const { userId } = await addHome(db);
    await link(userId);
    const other = await database.connect();
    let isFirst = true;
    const refreshes: EntitySubscriberInterface = {
      listenTo: () => ThermoworksCredential,
      afterLoad: async () => {
        if (!isFirst) return;
        isFirst = false;
        await other.query(
          `UPDATE thermoworks_credentials SET refresh_token = 'rotated', token_version = 9 WHERE user_id = $1`,
          [userId],
        );
      },
    };
    db.subscribers.push(refreshes);
    try {
      await new CredentialManager(db.manager).setPaused(userId, true);
    } finally {
      db.subscribers.pop();
    }
    expect(await row(userId)).to.include({ status: 'paused', refreshToken: 'rotated', tokenVersion: 9 });
  });

  it('a change of a user that was just deleted brings nobody back', async () => {
    const users = new UserManager(db.manager);
    const user = await users.create({ email: 'gone@here.test' });
    await users.delete(user);
    expect((await users.set(user, { name: 'Gone' })).deletedAt).to.be.instanceOf(Date);
    expect((await users.setLocked(user, true)).deletedAt).to.be.instanceOf(Date);
    expect(await users.set(user, {})).to.include({ name: 'Gone', isLocked: true });
    expect(await users.findByEmail('gone@here.test')).to.equal(null);
  });

  it('a link pauses nobody else who is linked to the simulator', async () => {
    const [one, two] = [await addHome(db), await addHome(db)];
    await link(one.userId, 'simulator');
    await link(two.userId);
    expect((await row(one.userId)).status).to.equal('active');
  });

  it('an unlinking ends what runs at its last reading, and nobody claims that devices are online', async () => {
    const home = await addHome(db, { device: { status: 'online' } });
    await link(home.userId);
    const id = await addSession(db, home);
    const ingest = createIngest({ dataSource: db });
    await ingest([job(home, [[T0 + MINUTE, 150]])]);
    await new CredentialManager(db.manager).unlink(home.userId);
    const session = await db.manager.findOneByOrFail(GrillingSession, { id });
    expect(session).to.include({ status: 'completed', phase: 'ended', endReason: 'device_gone' });
    expect(session.endTime).to.deep.equal(new Date(T0 + MINUTE));
    expect((await new DeviceManager(db.manager).get(home.deviceId, home.userId)).status).to.equal('offline');
    expect(await db.query('SELECT * FROM detection_states')).to.deep.equal([]);
    await ingest([job(home, [[T0 + 2 * MINUTE, 150]])]);
    expect(await db.manager.countBy(GrillingSession, { status: 'active' })).to.equal(0);
  });

  it('a session begun by hand after failed polls begins now, not at the last good one', async () => {
    const home = await addHome(db);
    const { id } = await link(home.userId);
    const owner = uuidv7();
    const accounts = new CredentialManager(db.manager);
    await accounts.leaseOne(owner, id);
    await accounts.finishPoll(owner, id, {
      status: 'degraded',
      nextPollInSeconds: 60,
      failedPolls: 1,
      lastError: 'devices failed: transient, timeout',
      cloudReadAt: new Date(Date.now() - 30 * MINUTE),
    });
    const { publicId } = await db.transaction((tx) =>
      new SessionManager(tx).start(home.userId, { deviceId: home.deviceId }),
    );
    const { startTime } = await db.manager.findOneByOrFail(GrillingSession, { publicId });
    expect(Math.abs(startTime.getTime() - Date.now())).to.be.lessThan(5 * MINUTE);
  });
});
