import type { Lifecycle } from '../lifecycle.js';
import type { Logger } from '../logger.js';
import type { Outbound } from '../notifications/outbound.js';

/** A receiver that does not answer is asked by so many requests at once, and no more. */
const MOST_AT_ONCE = 4;

/**
 * Fetches the address at each call, so that somebody outside notices when the calls stop. Nobody waits for it; that it
 * fails is said once, until it answers again.
 */
export function createHeartbeat({
  url,
  outbound,
  logger,
  lifecycle,
  onOutcome,
}: {
  /** Undefined: nobody is told. */
  url?: string;
  outbound: Pick<Outbound, 'get'>;
  logger: Logger;
  lifecycle: Lifecycle;
  onOutcome: (outcome: 'ok' | 'failed') => void;
}): () => void {
  if (url === undefined) return () => undefined;
  const closing = new AbortController();
  const underWay = new Set<Promise<void>>();
  let fails = false;

  const note = (outcome: 'ok' | 'failed', err?: unknown) => {
    if (closing.signal.aborted) return;
    onOutcome(outcome);
    if (fails === (outcome === 'failed')) return;
    fails = !fails;
    if (fails) logger.warn('HEARTBEAT_URL does not answer', { err });
    else logger.info('HEARTBEAT_URL answers again');
  };
  lifecycle.onClose('heartbeat', async () => {
    closing.abort();
    await Promise.all(underWay);
  });
  return () => {
    if (underWay.size >= MOST_AT_ONCE || closing.signal.aborted) return;
    const beat: Promise<void> = outbound
      .get(url, { signal: closing.signal })
      .then(
        () => note('ok'),
        (err: unknown) => note('failed', err),
      )
      .finally(() => underWay.delete(beat));
    underWay.add(beat);
  };
}
