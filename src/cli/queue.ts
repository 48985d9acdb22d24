import { Argument, type Command } from 'commander';
import { DeadLetters } from '../queues/dead-letters.js';
import { QUEUE_NAMES, type QueueName } from '../queues/jobs.js';
import { answering, type Context } from './context.js';
import { toRow } from './text.js';

const STATES = ['waiting', 'active', 'delayed', 'completed', 'failed'] as const;

export function queueCommand(program: Command, context: Context): void {
  const queue = program.command('queue').description('jobs between the processes');
  const name = (form: string) => new Argument(form, 'one of the queues').choices(QUEUE_NAMES);
  const letters = async () => new DeadLetters(await context.manager(), await context.queuesThere());

  answering(queue, 'stats', 'count the jobs of each queue').action(async () => {
    const dead = await (await letters()).list();
    const queues = await context.queuesThere();
    const rows = QUEUE_NAMES.map(async (one) => ({
      queue: one,
      ...(await queues[one].getJobCounts(...STATES)),
      dead_letters: dead.filter((letter) => letter.queue === one).length,
    }));
    context.list(await Promise.all(rows), ['queue', ...STATES, 'dead_letters']);
  });
  answering(queue, 'failed', 'show the jobs that nothing mends by itself')
    .addArgument(name('[queue]'))
    .action(async (of?: QueueName) => {
      const db = await context.manager();
      const rows = (await (await letters()).list(of)).map((letter) => toRow(db, letter));
      context.list(rows, ['queue', 'job_id', 'attempts', 'created_at', 'reason']);
    });
  answering(queue, 'retry', 'run such jobs again')
    .addArgument(name('<queue>'))
    .argument('[jobs...]', 'their ids (default: all)')
    .action(async (of: QueueName, jobIds: string[]) => {
      const retried = await (await letters()).retry(of, jobIds);
      context.list(
        retried.map(({ jobId, retriedAs }) => ({ queue: of, job_id: jobId, retried_as: retriedAs })),
        ['queue', 'job_id', 'retried_as'],
      );
    });
  answering(queue, 'drain', 'throw waiting and delayed jobs away')
    .addArgument(name('<queue>'))
    .action(async (of: QueueName) => {
      const queues = await context.queuesThere();
      const { waiting = 0, delayed = 0, prioritized = 0 } = await queues[of].getJobCounts();
      await queues[of].drain(true);
      const drained = waiting + delayed + prioritized;
      context.done(`drained ${drained} jobs of ${of}`, { queue: of, drained });
    });
}
