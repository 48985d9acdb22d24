import { expect } from 'chai';
import { PermanentError } from '../../src/errors.js';
import { createLogger } from '../../src/logger.js';
import { openQueues } from '../../src/queues/backend.js';
import { bury, sweepFailedJobs } from '../../src/queues/dead-letters.js';
import { startStage } from '../../src/worker/stage.js';
import { freePort } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';
import { at, type CommandLine, countRows, items, openCommandLine } from './command-line.js';

describe('grill-stats queue', () => {
  const id = '0199a1c2-0000-7000-8000-000000000001';
  const logger = createLogger({ level: 'error', format: 'json' });
  logger.silent = true;
  let cli: CommandLine;
  let opened: Awaited<ReturnType<typeof openQueues>>;
  const backend = () => ({ kind: 'redis', url: cli.redisUrl, queuePrefix: cli.queuePrefix, logger }) as const;
  before(async () => {
    cli = await openCommandLine();
    opened = await openQueues(backend());
  });
  after(async () => {
    await opened.close();
    await cli.close();
  });

  it('says so when the queue does not answer', async () => {
    const env = { REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    const { code, stdout, stderr } = await cli.run(['queue', 'stats', '--json'], { env });
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.equal('grill-stats: the queue does not answer: start its Redis, or check REDIS_URL\n');
  });

  /** Runs the notifications queue with this processor until `done`. */
  async function work(processor: () => Promise<void>, done: () => Promise<boolean>): Promise<void> {
    const stage = startStage('notifications', processor, {
      backend: backend(),
      concurrency: 1,
      logger,
      bury: bury(cli.dataSource),
    });
    await waitFor(done, { what: 'the job to end' });
    await stage.close();
  }
  const fail = () => Promise.reject(new PermanentError('nobody there'));
  const isBuried = async () => (await countRows(cli.dataSource, 'dead_letters')) === 1;
  const hasFailed = async () => (await opened.queues.notifications.getFailedCount()) === 1;
  const dieOnce = () => work(fail, async () => (await isBuried()) && hasFailed());

  it('counts jobs, and drains those that wait', async () => {
    await opened.queues.notifications.add('notification', { notificationId: id }, { jobId: 'ntf-1' });
    await opened.queues.notifications.add(
      'notification',
      { notificationId: id },
      { jobId: 'ntf-2', delay: 60_000 },
    );
    const stats = items(await cli.json(['queue', 'stats'])).find(
      (row) => at(row, 'queue') === 'notifications',
    );
    expect(stats).to.include({ waiting: 1, delayed: 1, active: 0, dead_letters: 0 });
    expect(await cli.json(['queue', 'drain', 'notifications'])).to.deep.equal({
      queue: 'notifications',
      drained: 2,
    });
    expect(at(await cli.json(['queue', 'stats']), '1.waiting')).to.equal(0);
  });

  it('shows dead letters, and runs one again as itself while the queue has it', async () => {
    await opened.queues.notifications.add('notification', { notificationId: id }, { jobId: 'ntf-3' });
    await dieOnce();
    const dead = await cli.json(['queue', 'failed', 'notifications']);
    expect(dead).to.have.length(1);
    expect(at(dead, '0')).to.include({
      queue: 'notifications',
      job_id: 'ntf-3',
      reason: 'nobody there',
      attempts: 1,
    });
    expect(await cli.json(['queue', 'failed', 'readings'])).to.deep.equal([]);

    expect((await cli.run(['queue', 'retry', 'notifications', 'ntf-9'])).code).to.equal(1);
    const retried = await cli.json(['queue', 'retry', 'notifications', 'ntf-3']);
    expect(retried).to.deep.equal([{ queue: 'notifications', job_id: 'ntf-3', retried_as: 'ntf-3' }]);
    expect(await countRows(cli.dataSource, 'dead_letters')).to.equal(0);
    let runs = 0;
    await work(
      async () => {
        runs += 1;
      },
      async () => (await opened.queues.notifications.getCompletedCount()) === 1,
    );
    expect(runs).to.equal(1);
  });

  it('runs a job again under a new id when the queue has forgotten it', async () => {
    await opened.queues.notifications.add('notification', { notificationId: id }, { jobId: 'ntf-4' });
    await dieOnce();
    await (await opened.queues.notifications.getJob('ntf-4'))?.remove();
    const [row] = items(await cli.json(['queue', 'retry', 'notifications']));
    expect(at(row, 'retried_as')).to.match(/^retry-[0-9a-f-]{36}$/);
    const [job] = await opened.queues.notifications.getWaiting();
    expect([job?.id, job?.data]).to.deep.equal([at(row, 'retried_as'), { notificationId: id }]);
    await opened.queues.notifications.drain();
  });

  it('finds failed jobs that were not written down', async () => {
    await opened.queues.notifications.add('notification', { notificationId: id }, { jobId: 'ntf-5' });
    await dieOnce();
    await cli.dataSource.query('DELETE FROM dead_letters');
    for (const _ of ['first', 'again']) await sweepFailedJobs({ ...opened, dataSource: cli.dataSource });
    expect(at(await cli.json(['queue', 'failed']), '0')).to.include({
      job_id: 'ntf-5',
      reason: 'nobody there',
    });
    expect(await isBuried()).to.equal(true);
  });
});
