import { setTimeout as after } from 'node:timers/promises';
import cron from 'node-cron';
import type { Lifecycle } from './lifecycle.js';
import { type Logger, limitedWarning } from './logger.js';

/** A task that waits for a server which is down is not waited for longer. */
const CLOSE_TASK_MS = 3_000;

/** Runs `work` at each tick of a cron pattern; a tick that finds it still running is left out. */
export function every(
  pattern: string,
  name: string,
  work: () => Promise<unknown>,
  { lifecycle, logger }: { lifecycle: Lifecycle; logger: Logger },
): void {
  const warn = limitedWarning(logger.child({ task: name }), 'a scheduled task failed');
  let running: Promise<unknown> = Promise.resolve();
  const options = { timezone: 'UTC', noOverlap: true, name };
  const task = cron.schedule(pattern, () => (running = work().catch(warn)), options);
  lifecycle.onClose(name, async () => {
    await task.destroy();
    await Promise.race([running, after(CLOSE_TASK_MS, undefined, { ref: false })]);
  });
}
