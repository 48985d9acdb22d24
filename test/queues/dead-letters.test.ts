import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { DeadLetter } from '../../src/entities/dead-letter.js';
import { NotFoundError } from '../../src/errors.js';
import type { QueueBackend, Queues } from '../../src/queues/backend.js';
import { bury, DeadLetters, sweepFailedJobs } from '../../src/queues/dead-letters.js';
import { type Stage, startStage } from '../../src/worker/stage.js';
import { openDatabase } from '../ingest/household.js';
import { waitFor } from '../support/wait-for.js';
import { addForeign, openTestQueues } from './queues.js';

const ID = '0199a1c2-0000-7000-8000-000000000000';

describe('dead letters', () => {
  let db: DataSource;
  let closeDatabase: () => Promise<void>;
  let backend: QueueBackend;
  let queues: Queues;
  let closeQueues: () => Promise<void>;
  let letters: DeadLetters;
  let stage: Stage | undefined;

  before(async () => {
    ({ db, close: closeDatabase } = await openDatabase());
  });
  beforeEach(async () => {
    await db.query('TRUNCATE dead_letters');
    ({ backend, queues, close: closeQueues } = await openTestQueues());
    letters = new DeadLetters(db.manager, queues);
  });
  afterEach(async () => {
    await stage?.close();
    stage = undefined;
    await closeQueues();
  });
  after(() => closeDatabase());

  const rows = () => db.manager.find(DeadLetter, { order: { id: 'ASC' } });
  const dead = (jobId: string, data: unknown = { notificationId: ID }) => ({
    queue: 'notifications' as const,
    jobId,
    data,
    reason: 'because',
    attempts: 5,
  });
  /** Runs notification jobs; those that `isBad` says fail for good. */
  const start = (isBad: () => boolean, keep = bury(db)) => {
    const run = async () => {
      if (isBad()) throw new Error('bad');
    };
    stage = startStage('notifications', run, { backend, concurrency: 5, logger: backend.logger, bury: keep });
  };
  const addFailing = (jobId: string) =>
    queues.notifications.add('notification', { notificationId: ID }, { jobId, attempts: 1 });
  const isFailed = async (jobId: string) => (await queues.notifications.getJob(jobId))?.isFailed();

  it('are kept once each, the oldest first, of one queue or all', async () => {
    for (const jobId of ['a', 'b', 'a']) await bury(db)(dead(jobId));
    await bury(db)({ ...dead('a'), queue: 'readings' });
    expect((await letters.list()).map(({ queue, jobId }) => `${queue} ${jobId}`)).to.deep.equal([
      'notifications a',
      'notifications b',
      'readings a',
    ]);
    expect(await letters.list('readings')).to.have.lengthOf(1);
    expect((await rows())[0]).to.include({ reason: 'because', attempts: 5 });
  });

  it('are made by the sweep of failed jobs that have none, whatever their data', async () => {
    start(
      () => true,
      async () => {
        throw new Error('no database');
      },
    );
    await addFailing('one');
    await addForeign(queues.notifications, 'a\0b', { jobId: 'two', attempts: 1 });
    await addForeign(queues.notifications, null, { jobId: 'three', attempts: 1 });
    await waitFor(
      async () => (await isFailed('one')) && (await isFailed('two')) && (await isFailed('three')),
      {
        timeoutMs: 40_000,
      },
    );
    await bury(db)(dead('one'));
    await sweepFailedJobs({ queues, dataSource: db });
    expect((await rows()).map(({ jobId, data }) => [jobId, data]).sort()).to.deep.equal([
      ['one', { notificationId: ID }],
      ['three', null],
      ['two', 'a\ufffdb'],
    ]);
  });

  it('run again as themselves while the queue has them, with all attempts, and are gone then', async () => {
    let isBad = true;
    start(() => isBad);
    for (const jobId of ['x', 'y']) await addFailing(jobId);
    await waitFor(async () => (await isFailed('x')) && (await isFailed('y')));
    isBad = false;
    expect(await letters.retry('notifications', ['x'])).to.deep.equal([{ jobId: 'x', retriedAs: 'x' }]);
    await waitFor(async () => (await queues.notifications.getJob('x'))?.isCompleted());
    expect((await letters.list()).map(({ jobId }) => jobId)).to.deep.equal(['y']);
    expect(await letters.retry('notifications', [])).to.have.lengthOf(1);
    await waitFor(async () => (await queues.notifications.getJob('y'))?.isCompleted());
    expect(await letters.list()).to.deep.equal([]);
  });

  it('run again under a new id when the queue lost them', async () => {
    await bury(db)(dead('lost'));
    const [retried] = await letters.retry('notifications', ['lost']);
    expect(retried?.retriedAs).to.match(/^retry-/);
    expect((await queues.notifications.getJob(retried?.retriedAs ?? ''))?.data).to.deep.equal({
      notificationId: ID,
    });
    expect(await rows()).to.deep.equal([]);
  });

  it('are all left alone when one that is asked for is not there', async () => {
    await bury(db)(dead('here'));
    const error = await letters.retry('notifications', ['here', 'there']).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(NotFoundError);
    expect(await rows()).to.have.lengthOf(1);
  });
});
