import type { Lifecycle } from './lifecycle.js';
import type { Logger } from './logger.js';

/** From the first signal to the end of the process; Docker's own limit of 10 s is raised in compose.yaml. */
const SHUTDOWN_MS = 25_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs what `start` begins until SIGINT, SIGTERM or SIGHUP (its terminal closed), then closes it in reverse. A second signal ends it at once, also
 * while it is still starting.
 * @returns 0 when everything was drained within 25 s of the first signal, else 1
 */
export async function runProcess(
  start: (signal: AbortSignal) => Promise<{ lifecycle: Lifecycle }>,
  logger: Logger,
  { shutdownMs = SHUTDOWN_MS } = {},
): Promise<number> {
  const starting = new AbortController();
  const stop = signalled();
  void stop.first.then(() => starting.abort());
  let lifecycle: Lifecycle | undefined;
  const work = async (): Promise<Outcome> => {
    try {
      ({ lifecycle } = await start(starting.signal));
    } catch (error) {
      if (starting.signal.aborted) return 'drained';
      throw error;
    }
    await stop.first;
    logger.info('stopping');
    return drained(lifecycle, logger);
  };
  try {
    const deadline = stop.first.then(() => after(shutdownMs));
    const outcome = await Promise.race([work(), stop.second, deadline]);
    if (outcome === 'drained') return 0;
    logger.error('not drained', { stillClosing: lifecycle ? lifecycle.pending : 'the start', outcome });
    return 1;
  } finally {
    stop.forget();
  }
}

type Outcome = 'drained' | 'failed' | 'second signal' | 'deadline';

async function drained(lifecycle: Lifecycle, logger: Logger): Promise<Outcome> {
  try {
    await lifecycle.close();
    return 'drained';
  } catch (err) {
    logger.error('closing failed', { err });
    return 'failed';
  }
}

/** The first and the second signal to stop. */
function signalled() {
  const waiting: (() => void)[] = [];
  const first = new Promise<void>((resolve) => waiting.push(resolve));
  const second = new Promise<Outcome>((resolve) => waiting.push(() => resolve('second signal')));
  const onSignal = () => waiting.shift()?.();
  for (const name of SIGNALS) process.on(name, onSignal);
  const forget = () => {
    for (const name of SIGNALS) process.off(name, onSignal);
  };
  return { first, second, forget };
}

function after(ms: number): Promise<Outcome> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('deadline'), ms).unref();
  });
}
