import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest, type Ingest, type IngestOutcome } from '../../src/ingest/ingest.js';
import { createMessage } from '../../src/notifications/message.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { SessionManager } from '../../src/sessions/session-manager.js';
import { createMaintenance, createTimers, storedUntil } from '../../src/worker/maintenance.js';
import {
  addChannel,
  addHome,
  addSession,
  HOUR,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from '../ingest/household.js';
import { openTestQueues } from '../queues/queues.js';
import { captureLog } from '../support/captured-log.js';
import { pit } from '../support/traces.js';
import { addLinkedHome, cook, polledAt } from './linked-home.js';

const at = (minutes: number) => T0 + minutes * MINUTE;

describe('maintenance', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let ingest: Ingest;
  let outcomes: IngestOutcome[];
  let timers: () => Promise<void>;

  before(async () => {
    ({ db, close } = await openDatabase());
    ingest = createIngest({ dataSource: db });
    timers = createTimers({ dataSource: db, ingest, onCommit: (outcome) => outcomes.push(outcome) });
  });
  beforeEach(() => {
    outcomes = [];
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => close());

  describe('session timers', () => {
    const polled = (home: Home, minutes: number) => polledAt(db, home, at(minutes));
    const sessions = async (): Promise<string[]> => {
      const rows = await db.query<{ line: string }[]>(
        `SELECT concat_ws(' ', phase, end_reason, extract(epoch FROM end_time - $1)::integer / 60) AS line
         FROM grilling_sessions ORDER BY id`,
        [new Date(T0)],
      );
      return rows.map(({ line }) => line);
    };
    const ran = () => outcomes.flatMap(({ sessionEvents }) => sessionEvents.map(({ kind }) => kind));

    it('stand still while readings of the last poll may wait to be stored, or are put off', async () => {
      const home = await cook(db, ingest);
      await polled(home, 60);
      const { queues, close: closeQueues } = await openTestQueues();
      const run = createTimers({
        dataSource: db,
        ingest,
        until: () => storedUntil(queues),
        onCommit: (outcome) => outcomes.push(outcome),
      });
      const pollEnded = (secondsAgo: number) =>
        db.query("UPDATE thermoworks_credentials SET last_polled_at = now() - $1 * interval '1 second'", [
          secondsAgo,
        ]);
      try {
        await pollEnded(0);
        await queues.readings.add('readings', job(home, [[at(9), 110, 'C']]), { jobId: 'waits' });
        await run();
        expect(ran()).to.deep.equal([]);
        await pollEnded(10); // what waits came later, from another account
        await run();
        expect(ran()).to.deep.equal(['paused']);
        await queues.readings.add('readings', job(home, [[at(9), 110, 'C']]), { jobId: 'off', delay: HOUR });
        await polled(home, 240);
        await run();
        expect(ran()).to.deep.equal(['paused']);
        await queues.readings.obliterate({ force: true });
        await run();
        expect(ran()).to.deep.equal(['paused', 'cancelled']);
      } finally {
        await closeQueues();
      }
    });

    it('leave a poll that ends meanwhile to the next look, with what it brings', async () => {
      const home = await cook(db, ingest);
      await polled(home, 9);
      let asked = 0;
      const run = createTimers({
        dataSource: db,
        ingest,
        until: async () => {
          asked += 1;
          await polled(home, 60); // its readings are on their way to a queue that was empty
          return null;
        },
        onCommit: (outcome) => outcomes.push(outcome),
      });
      await run();
      await polled(home, 17);
      await run();
      expect([asked, ...ran()]).to.deep.equal([0]); // nothing was due: nobody need be asked
      const other = await cook(db, ingest);
      await polled(other, 18);
      await run();
      expect(await sessions()).to.deep.equal(['active', 'paused']);
    });

    it('pause after ten minutes and end after two hours of silence, at the last reading', async () => {
      const home = await cook(db, ingest);
      for (const [minutes, expected] of [
        [17.99, 'active'],
        [18, 'paused'],
        [127.99, 'paused'],
        [128, 'ended lost_contact 8'],
        [900, 'ended lost_contact 8'],
      ] as const) {
        await polled(home, minutes);
        await timers();
        expect(await sessions()).to.deep.equal([expected]);
      }
      expect(ran()).to.deep.equal(['paused', 'cancelled']); // six minutes are too few for a cook
      await timers();
      expect(outcomes).to.have.lengthOf(2);
    });

    it('end a cook whose probes are all unplugged, after half an hour', async () => {
      const home = await cook(db, ingest);
      await ingest([job(home, [[at(9), 'absent']], [[at(10), 'absent']])]);
      await polled(home, 39.99);
      await timers();
      expect(await sessions()).to.deep.equal(['active']);
      await polled(home, 40);
      await timers();
      // Six minutes are too few for a cook: it is hidden.
      expect(await sessions()).to.deep.equal(['ended unplugged 8']);
      expect(ran()).to.deep.equal(['cancelled']);
    });

    it('go by the cloud as the last good poll saw it, not by our clock: an outage ends nothing', async () => {
      const home = await cook(db, ingest);
      await timers(); // never polled
      await polled(home, 9);
      await timers(); // by our clock, months ago or ahead
      expect(await sessions()).to.deep.equal(['active']);
      expect(outcomes).to.deep.equal([]);
    });

    it('run for each owner by that account only, and for a cook begun by hand that never has a reading', async () => {
      const [home, other] = [await cook(db, ingest), await cook(db, ingest)];
      await polled(other, 500);
      await timers();
      expect(await sessions()).to.deep.equal(['active', 'ended lost_contact 8']);
      const silent = await addHome(db, { userId: home.userId });
      await polled(home, 9);
      await db.query('UPDATE thermoworks_credentials SET last_polled_at = now()');
      await db.transaction((tx) => new SessionManager(tx).start(home.userId, { deviceId: silent.deviceId }));
      await polled(home, 14);
      await timers();
      await polled(home, 9 + 11);
      await timers();
      const [row] = await db.query<unknown[]>('SELECT phase FROM grilling_sessions WHERE device_id = $1', [
        silent.deviceId,
      ]);
      expect(row).to.deep.equal({ phase: 'paused' });
    });

    it('look back, one device after the other, where a batch brought late readings of many', async () => {
      const curve = pit({ off: 240 });
      const fire = (home: Home, from: number, to: number) => {
        const minutes = Array.from({ length: (to - from) / 2 }, (_, n) => from + 2 * n);
        return job(
          home,
          minutes.map((minute): [number, number, 'C'] => [at(minute), curve(minute), 'C']),
        );
      };
      const cooks = async () =>
        (
          await db.query<{ line: string }[]>(
            `SELECT concat_ws(' ', device_id, status, end_reason, start_time, end_time, reading_count) AS line
             FROM grilling_sessions WHERE status <> 'cancelled' ORDER BY device_id`,
          )
        ).map(({ line }) => line);
      const homes = await Promise.all(
        Array.from({ length: 5 }, () => addLinkedHome(db, { probes: [{ role: 'pit' }] })),
      );
      for (const home of homes) await ingest([fire(home, 0, 400)]);
      const inOrder = await cooks();
      expect(inOrder).to.have.length(5);
      await db.query('TRUNCATE readings, grilling_sessions, detection_states CASCADE');
      await db.query(
        'UPDATE probes SET last_measured_at = NULL, last_value = NULL, learned_interval_seconds = NULL',
      );
      for (const home of homes) await ingest([fire(home, 0, 50), fire(home, 250, 400)]);
      await ingest(homes.map((home) => fire(home, 50, 250)));
      expect(await cooks()).not.to.deep.equal(inOrder);
      const torn = await addLinkedHome(db, { probes: [{ role: 'pit' }] });
      await db.query(
        `INSERT INTO detection_states (device_id, state, due_at) VALUES ($1, '{"probes": 7}', timestamptz 'epoch' - interval '1 s')`,
        [torn.device],
      );
      for (const home of [torn, ...homes]) await polled(home, 398);
      const failure = await timers().catch((error: unknown) => error);
      expect(failure, 'of the torn one, which comes first').to.be.instanceOf(Error);
      expect(await cooks()).to.deep.equal(inOrder);
      expect(
        await db.query("SELECT FROM detection_states WHERE state -> 'lookBack' IS NOT NULL"),
      ).to.deep.equal([]);
    });

    it('run out for others though one device cannot be made sense of', async () => {
      const [broken, home] = [await cook(db, ingest), await cook(db, ingest)];
      await db.query(`UPDATE detection_states SET state = '{"probes": 7}' WHERE device_id = $1`, [
        broken.device,
      ]);
      for (const one of [broken, home]) await polled(one, 18);
      const error = await timers().catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Error);
      expect(await sessions()).to.deep.equal(['active', 'paused']);
    });
  });

  const upkeep = () => ({ dataSource: db, retentionDays: 400, logger: captureLog().logger });

  it('makes the partitions of the two months ahead, each once', async () => {
    const maintain = createMaintenance({ ...upkeep(), now: () => new Date('2031-12-15T00:00:00Z') });
    await maintain();
    await maintain();
    const rows = await db.query<{ name: string }[]>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits
       WHERE inhparent = 'readings'::regclass AND inhrelid::regclass::text ~ '_203[12]_' ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name)).to.deep.equal([
      'readings_2031_12',
      'readings_2032_01',
      'readings_2032_02',
    ]);
  });

  it('asks once over each channel about a cook of 36 hours, by the clock of the cloud', async () => {
    const home = await cook(db, ingest);
    const channels = [
      await addChannel(db, home.userId, 'webhook'),
      await addChannel(db, home.userId, 'ntfy'),
    ];
    await addChannel(db, home.userId, 'email', { isActive: false });
    const maintain = createMaintenance({ ...upkeep(), now: () => new Date() });
    const asked = async (minutes: number) => {
      await polledAt(db, home, at(minutes));
      await maintain();
      return (
        await db.query<{ channel_id: number }[]>(
          `SELECT channel_id FROM notifications n JOIN grilling_sessions s ON s.public_id = n.subject_id
         WHERE n.subject = 'session.long' ORDER BY channel_id`,
        )
      ).map(({ channel_id }) => channel_id);
    };
    const manager = new NotificationManager(db.manager);
    expect(await asked(36 * 60 + 1.99)).to.deep.equal([]);
    expect(await asked(36 * 60 + 2)).to.deep.equal(channels);
    expect(await asked(40 * 60)).to.deep.equal(channels);
    const [id = ''] = await manager.dueIds(1);
    const claimed = await manager.claim(id);
    if (!claimed) throw new Error('nothing to tell');
    expect(createMessage(claimed).text).to.match(
      /^the cook on M1\d+ has gone on since 2026-11-21 12:02 UTC: does it still\? "session end [-\da-f]{36}" ends it/,
    );
    await db.query(
      `UPDATE grilling_sessions SET status = 'completed', phase = 'ended', end_time = start_time`,
    );
    const [other = ''] = await manager.dueIds(1);
    const over = await manager.claim(other);
    expect(() => over && createMessage(over)).to.throw('something that is gone');
  });

  it('hides cancelled sessions a week after, and no others', async () => {
    const home = await addHome(db);
    const ended = { phase: 'ended', endReason: 'cooled', endTime: new Date(T0 + HOUR) } as const;
    const cancelled = { ...ended, status: 'cancelled', sessionType: 'auto' } as const;
    const [old, young, completed] = [
      await addSession(db, home, cancelled),
      await addSession(db, home, cancelled),
      await addSession(db, home, { ...ended, status: 'completed' }),
    ];
    const age = (id: number | undefined, interval: string) =>
      db.query('UPDATE grilling_sessions SET updated_at = now() - $2::interval WHERE id = $1', [
        id,
        interval,
      ]);
    await age(old, '7 days 1 minute');
    await age(young, '6 days 23 hours 59 minutes');
    await age(completed, '30 days');
    await createMaintenance({ ...upkeep(), now: () => new Date() })();
    const hidden = await db.query('SELECT id FROM grilling_sessions WHERE deleted_at IS NOT NULL');
    expect(hidden).to.deep.equal([{ id: old }]);
  });
});
