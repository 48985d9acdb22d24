import { verify } from '@node-rs/argon2';
import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { CredentialManager } from '../../src/accounts/credential-manager.js';
import { UserManager } from '../../src/accounts/user-manager.js';
import { User } from '../../src/entities/user.js';
import { InputError, NotFoundError } from '../../src/errors.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { lockDevices } from '../../src/ingest/world-store.js';
import { bury } from '../../src/queues/dead-letters.js';
import {
  addAlert,
  addChannel,
  addHome,
  addSession,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from '../ingest/household.js';
import { failureOf } from '../support/failure-of.js';
import { waitFor } from '../support/wait-for.js';

describe('UserManager', () => {
  let opened: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  let users: UserManager;
  before(async () => {
    opened = await openDatabase();
    db = opened.db;
    users = new UserManager(db.manager);
  });
  after(() => opened.close());

  const emailOf = async ({ userId }: Home) => (await db.manager.findOneByOrFail(User, { id: userId })).email;
  const addAccount = ({ userId }: Home) =>
    db.query(
      `INSERT INTO thermoworks_credentials (public_id, user_id, provider, thermoworks_uid, refresh_token)
       VALUES ($1, $2, 'thermoworks', 'uid', 'sealed')`,
      [uuidv7(), userId],
    );

  async function countAll(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { tableName } of db.entityMetadatas) {
      const [row] = await db.query<{ n: number }[]>(`SELECT count(*)::integer AS n FROM ${tableName}`);
      counts[tableName] = row?.n ?? -1;
    }
    return counts;
  }

  it('keeps a password as argon2id only, and none as one that nothing verifies', async () => {
    const { passwordHash } = await users.create({ email: 'p@example.com', password: 'correct horse' });
    expect(await verify(passwordHash, 'correct horse')).to.equal(true);
    expect(
      (await db.manager.findOneByOrFail(User, { id: (await users.create({ email: 'q@example.com' })).id }))
        .passwordHash,
    ).to.equal('!');
    expect(await failureOf(users.create({ email: 'r@example.com', password: 'short' }))).to.be.instanceOf(
      InputError,
    );
  });

  it('takes from the cloud only what was never set', async () => {
    const { id } = await users.create({ email: 'c@example.com', temperatureUnit: 'F' });
    await users.adoptPreferences(id, { preferredUnit: 'C', timeZone: 'no zone' });
    await users.adoptPreferences(id, { preferredUnit: 'C', timeZone: 'Europe/London' });
    await users.adoptPreferences(id, { preferredUnit: null, timeZone: 'Asia/Tokyo' });
    expect(await users.findByEmail('C@example.com')).to.include({
      temperatureUnit: 'F',
      timeZone: 'Europe/London',
    });
  });

  it('stops polling and alerts at once when a user is deleted', async () => {
    const home = await addHome(db);
    await addAccount(home);
    await addAlert(db, home, { type: 'target', targetTemperature: 203, holdSeconds: 0 });
    const ingest = createIngest({ dataSource: db });
    await ingest([job(home, [[T0, 190]])]);
    await users.delete(await users.getByEmail(await emailOf(home)));
    const { transitions } = await ingest([job(home, [[T0 + MINUTE, 204]])]);
    expect(transitions).to.deep.equal([]);
    expect(await new CredentialManager(db.manager).leaseDue(uuidv7(), 10)).to.deep.equal([]);
  });

  it('erases everything of a user, deleted before or not, and nothing of another', async () => {
    const other = await addHome(db);
    await createIngest({ dataSource: db })([job(other, [[T0, 70]])]);
    const before = await countAll();
    const home = await addHome(db, { probes: [{}, {}] });
    await fill(home);
    const email = await emailOf(home);
    await users.delete(await users.getByEmail(email));
    await users.create({ email });

    const erased = await users.purge(email.toUpperCase());

    expect(erased).to.deep.equal({ users: 2, readings: 12_002 });
    expect(await countAll()).to.deep.equal(before);
    expect(await failureOf(users.purge(email))).to.be.instanceOf(NotFoundError);
  });

  /** A row in every table that can hold something of a user. */
  async function fill(home: Home): Promise<void> {
    const [probe] = home.probes;
    await addAccount(home);
    await addSession(db, home);
    await addChannel(db, home.userId, 'webhook');
    await addAlert(db, home, { type: 'target', targetTemperature: 203, holdSeconds: 0 });
    const ingest = createIngest({ dataSource: db });
    await ingest([job(home, [[T0, 190]])]);
    const { notificationIds } = await ingest([job(home, [[T0 + MINUTE, 204]])]);
    const [notificationId] = notificationIds;
    await db.query(
      `INSERT INTO readings SELECT $1, now() - n * interval '1 second', 70, 'F', 0 FROM generate_series(1, 12000) n`,
      [probe],
    );
    await db.query(
      `INSERT INTO reading_gaps (probe_id, gap_start, gap_end, cause) VALUES ($1, now() - interval '1 hour', now(), 'offline')`,
      [probe],
    );
    await db.query(
      `WITH bucket AS (INSERT INTO reading_buckets VALUES ($1, 900, now(), 'F', 1, 1, 1, 1, 1)),
         mark AS (INSERT INTO reading_bucket_marks (probe_id, hour_start) VALUES ($1, now()))
       INSERT INTO reading_bucket_progress VALUES ($1, now(), now())`,
      [probe],
    );
    await db.query(
      `INSERT INTO archive_copies (user_id, device_id, archive_id, cloud_update_time, scope)
       SELECT user_id, id, 'a', 't', 'all' FROM devices WHERE id = $1`,
      [home.device],
    );
    await db.query(
      `INSERT INTO session_tags (session_id, probe_id, tag, tag_from, tag_to)
       SELECT session_id, probe_id, 'lid_open', now(), now() FROM session_members WHERE probe_id = $1`,
      [probe],
    );
    await db.query(
      `INSERT INTO session_log (session_id, actor, action, after) SELECT id, 'operator', 'edited', '{}' FROM grilling_sessions`,
    );
    await db.query(
      `INSERT INTO notification_attempts (notification_id, attempt, started_at, outcome, latency_ms)
       VALUES ($1, 1, now(), 'failed', 5)`,
      [notificationId],
    );
    const dead = { reason: 'poison', attempts: 1 };
    await bury(db)({ queue: 'readings', jobId: 'ing-1', data: job(home, [[T0, 1]]), ...dead });
    const low = { ...job(home), batteries: [[home.device, T0, 5, null]] };
    await bury(db)({ queue: 'readings', jobId: 'ing-3', data: low, ...dead });
    await bury(db)({ queue: 'backfill', jobId: 'bkf', data: { device: home.device }, ...dead });
    await bury(db)({ queue: 'notifications', jobId: 'ntf-1', data: { notificationId }, ...dead });
    await bury(db)({ queue: 'readings', jobId: 'ing-2', data: 'torn', ...dead });
    await db.query(`DELETE FROM dead_letters WHERE job_id = 'ing-2'`);
    const counts = await countAll();
    const empty = Object.keys(counts).filter((table) => counts[table] === 0);
    expect(empty).to.deep.equal(['canaries', 'organisations']);
  }

  it('erases readings before it holds up anybody, and those that came meanwhile with the rest', async () => {
    const home = await addHome(db);
    const readings = async () =>
      (await db.query('SELECT FROM readings WHERE probe_id = ANY($1)', [home.probes])).length;
    await db.query(
      `INSERT INTO readings SELECT $1, now() - n * interval '1 second', 70, 'F', 0 FROM generate_series(1, 10001) n`,
      [home.probes[0]],
    );
    const { purged } = await db.transaction(async (tx) => {
      await lockDevices(tx, [home.device]);
      const running = users.purge(await emailOf(home));
      await waitFor(async () => (await readings()) === 0, { what: 'the readings to be gone' });
      await tx.query(`INSERT INTO readings VALUES ($1, now(), 70, 'F', 0)`, [home.probes[0]]);
      return { purged: running };
    });
    expect(await purged).to.deep.equal({ users: 1, readings: 10_002 });
    expect(await readings()).to.equal(0);
  });

  it('gives a device back to whoever used it before, whose history stays', async () => {
    const former = await addHome(db);
    const ingest = createIngest({ dataSource: db });
    await ingest([job(former, [[T0, 70]])]);
    const { id: userId, email } = await users.create({ email: 'next@example.com' });
    await db.query('UPDATE devices SET user_id = $1 WHERE id = $2', [userId, former.device]);
    await users.purge(email);
    const [device] = await db.query('SELECT user_id, is_active FROM devices WHERE id = $1', [former.device]);
    expect(device).to.deep.equal({ user_id: former.userId, is_active: false });
    expect(await db.query('SELECT FROM readings WHERE probe_id = ANY($1)', [former.probes])).to.have.length(
      1,
    );
  });
});
