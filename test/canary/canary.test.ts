import { expect } from 'chai';
import { v7 } from 'uuid';
import { canaryJob, createCanarySink } from '../../src/canary/stations.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import { createMaintenance } from '../../src/worker/maintenance.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { outbound, secretBox } from '../notifications/world.js';
import { captureLog } from '../support/captured-log.js';
import { waitFor } from '../support/wait-for.js';
import { type Installation, openInstallation, type Replica } from './replicas.js';

const BLIND = 'blind: no canary comes through queue, ingest, alert and notifier';
const PATIENCE = { timeoutMs: 90_000 };

describe('canary', function () {
  this.timeout(300_000);
  let here: Installation;
  let receiver: Receiver;
  const { logger } = captureLog();

  before(async () => {
    receiver = await startReceiver();
    here = await openInstallation();
  });
  afterEach(async () => {
    await here.stopAll();
    for (const name of ['readings', 'notifications'] as const) await here.queues[name].drain();
  });
  after(async () => {
    await here.close();
    await receiver.close();
  });

  const becomes = (replica: Replica, status: number) =>
    waitFor(async () => (await replica.get('/health/ready')).status === status, {
      ...PATIENCE,
      what: `${status} of /health/ready`,
    });
  const said = ({ entries }: Replica, text: string) => entries.filter(({ message }) => message === text);
  const health = async (replica: Replica) => JSON.parse((await replica.get('/health')).text).canary;
  /** Rows of every table but those that are there anyway. */
  async function rowCounts(): Promise<Record<string, number>> {
    const tables: { name: string }[] = await here.db.query(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
         AND relname NOT IN ('typeorm_migrations', 'canaries')`,
    );
    const counts: Record<string, number> = {};
    for (const { name } of tables) {
      const [{ n }] = await here.db.query(`SELECT count(*)::integer AS n FROM ${name}`);
      if (n > 0) counts[name] = n;
    }
    return counts;
  }

  it('goes through queue, ingest, alert and sink, tells HEARTBEAT_URL of each, and leaves nothing', async () => {
    const notifier = await here.start(['notifier'], { HEARTBEAT_URL: `${receiver.url}/beat?key=k` });
    const workers = [await here.start(['worker']), await here.start(['worker'])];
    let delivered = 0;
    for (const worker of workers) {
      await worker.proven(2);
      expect(await health(worker)).to.have.all.keys('ok', 'age_seconds', 'latency_seconds');
      expect(await worker.metric('canary_age_seconds')).to.be.at.least(0);
      expect(await worker.metric('canary_latency_seconds')).to.be.at.least(0);
      for (const name of ['readings_stored_total', 'ingest_batch_seconds_count'])
        expect(await worker.metric(name), name).to.be.oneOf([0, Number.NaN]);
      delivered += await worker.metric('canaries_total{outcome="delivered"}');
      await becomes(worker, 200);
    }
    expect([await health(notifier), await notifier.metric('canary_age_seconds')]).to.deep.equal([
      null,
      Number.NaN,
    ]);
    await waitFor(() => receiver.received.length >= delivered, { ...PATIENCE, what: 'heartbeats' });
    const kinds = new Set(receiver.received.map(({ method, path }) => `${method} ${path}`));
    expect([...kinds]).to.deep.equal(['GET /beat?key=k']);

    for (const worker of workers) await worker.stop();
    // What was under way when the last one stopped.
    await here.start(['worker'], {}, 0);
    const { readings, notifications } = here.queues;
    const counts = async () => [await readings.getJobCounts(), await notifications.getJobCounts()];
    const isEmpty = async () => (await counts()).flatMap(Object.values).every((count) => count === 0);
    await waitFor(isEmpty, { ...PATIENCE, what: 'queues that nothing is left in' });
    expect(await rowCounts()).to.deep.equal({});
    expect(await here.db.query('SELECT FROM canaries WHERE proven_at IS NOT NULL')).to.have.lengthOf(2);
  });

  it('makes a worker unready, with the reason and one line, while nobody delivers; and ready again', async () => {
    const worker = await here.start(['worker']);
    await becomes(worker, 503);
    const reason = 'the canary is late: no notifier has delivered it';
    const isSaid = async () => (await worker.get('/health/ready')).text.includes(reason);
    await waitFor(isSaid, { ...PATIENCE, what: 'the reason' });
    expect(await health(worker)).to.deep.include({ ok: false, latency_seconds: null });
    await waitFor(async () => (await worker.metric('canaries_total{outcome="sent"}')) > 3);
    expect(said(worker, BLIND)).to.have.lengthOf(1);
    const waiting = async () => (await here.queues.notifications.getWaitingCount()) === 1;
    await waitFor(waiting, { ...PATIENCE, what: 'one canary for a notifier' });
    await here.start(['notifier']);
    await becomes(worker, 200);
    await waitFor(() => said(worker, 'canaries come through again').length > 0, PATIENCE);
  });

  it('is late while no reading is stored, no alert fires, no delivery is noted or Redis is away', async () => {
    const replica = await here.start(['worker', 'notifier']);
    for (const [table, check, reason] of [
      ['readings', 'value < 200', 'no worker has ingested it'],
      ['alert_events', 'value < 200', 'no worker has ingested it'],
      ['notification_attempts', 'attempt > 1', 'no notifier has delivered it'],
    ] as const) {
      await here.db.query(`ALTER TABLE ${table} ADD CONSTRAINT broken CHECK (${check})`);
      await becomes(replica, 503);
      const isSaid = async () => (await replica.get('/health/ready')).text.includes(reason);
      await waitFor(isSaid, { ...PATIENCE, what: `${table}: ${reason}` });
      await here.db.query(`ALTER TABLE ${table} DROP CONSTRAINT broken`);
      await becomes(replica, 200);
    }
    await here.redis.set({ kind: 'refuse' });
    const isLate = async () => (await health(replica)).ok === false;
    await waitFor(isLate, { ...PATIENCE, what: 'a late canary' });
    await here.redis.set({ kind: 'pass' });
    await becomes(replica, 200);
    expect(await rowCounts()).to.deep.equal({});
  });

  it('does not mind a heartbeat receiver that refuses or never answers, nor a stop meanwhile', async () => {
    receiver.answer = (response) => response.writeHead(500).end();
    const replica = await here.start(['worker', 'notifier'], { HEARTBEAT_URL: receiver.url });
    await replica.proven(2);
    await waitFor(async () => (await replica.metric('heartbeats_total{outcome="failed"}')) >= 2, PATIENCE);
    expect(said(replica, 'HEARTBEAT_URL does not answer')).to.have.lengthOf(1);
    const arrived = receiver.received.length;
    receiver.answer = () => undefined;
    await waitFor(() => receiver.received.length > arrived, PATIENCE);
    await replica.proven(6 + (await replica.metric('canaries_total{outcome="delivered"}')));
    await becomes(replica, 200);
    await replica.stop();
  });

  it('is not sent with CANARY_SECONDS=0', async () => {
    const before = await here.db.query('SELECT FROM canaries');
    const replica = await here.start(['worker', 'notifier'], {}, 0);
    expect([await health(replica), (await replica.get('/health/ready')).status]).to.deep.equal([null, 200]);
    await replica.stop();
    expect(await here.db.query('SELECT FROM canaries')).to.have.lengthOf(before.length);
  });

  it('is nothing but an unknown probe to a worker that knows no canaries', async () => {
    const ingest = createIngest({ dataSource: here.db });
    const { stored, unknownProbe, notificationIds } = await ingest([canaryJob(Date.now())]);
    expect([stored, unknownProbe, notificationIds]).to.deep.equal([[], 1, []]);
  });

  it('waits in a queue once for each replica, however many were sent', async () => {
    const enqueue = createEnqueue({ queues: here.queues, logger });
    const [one, two] = [v7(), v7()];
    for (const replica of [one, two, one]) {
      await enqueue.canary(canaryJob(1), { replica, sentAtMs: 1 });
      await enqueue.canaryNotification(v7(), { replica, sentAtMs: 1 });
    }
    for (const name of ['readings', 'notifications'] as const)
      expect(await here.queues[name].getWaitingCount(), name).to.equal(2);
  });

  it('is proven once, however often it is delivered, and not for a replica that is gone', async () => {
    const replica = v7();
    await here.db.query('INSERT INTO canaries (replica, sent_at) VALUES ($1, now())', [replica]);
    let proven = 0;
    const onProven = () => {
      proven += 1;
    };
    const sink = createCanarySink({ dataSource: here.db, logger, secretBox, outbound, onProven });
    const mark = { replica, sentAtMs: Date.now() };
    await Promise.all([sink(mark), sink(mark)]);
    await sink(mark);
    expect(proven).to.equal(1);
    await sink({ ...mark, sentAtMs: mark.sentAtMs + 1 });
    await sink({ replica: v7(), sentAtMs: mark.sentAtMs });
    expect(proven).to.equal(2);
  });

  it('loses the rows of replicas that are gone', async () => {
    await here.db.query(
      `INSERT INTO canaries (replica, sent_at, updated_at)
       SELECT gen_random_uuid(), at, at FROM unnest(ARRAY[now(), now() - interval '4 hours']) AS at`,
    );
    const ages = () => here.db.query("SELECT FROM canaries WHERE sent_at < now() - interval '1 hour'");
    const all = async () => (await here.db.query('SELECT FROM canaries')).length;
    const before = await all();
    await createMaintenance({ dataSource: here.db, now: () => new Date(), retentionDays: 400, logger })();
    expect([await ages(), await all()]).to.deep.equal([[], before - 1]);
  });
});
