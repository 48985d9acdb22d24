import { messageOf, sqlStateOf } from '../errors.js';

/**
 * SQLSTATEs of a server that is gone, refuses us, is shutting down, starting, read-only or out of space, or that gave up
 * on a lock, a statement or a transaction: none of them says anything about the data.
 */
const STATES = /^(08|28|3D|40|53|57P|58|25006|25P0[34]|55P03|57014)/;
const NETWORK = /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN/;
const CONNECTION =
  /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|not queryable|runner already released/i;

/** Whether our own database or the way to it is at fault, so that the same work may well pass later. */
export function isOutage(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return STATES.test(state);
  // Of several addresses that all refuse, the error has a code and no message.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return NETWORK.test(`${code} ${messageOf(error)}`) || CONNECTION.test(messageOf(error));
}

const AGAIN_MS = 500;

/**
 * For what must not be forgotten: runs it again while our own database is away, for so long, or until `ending` says that
 * there is no more time. @throws what `work` throws
 */
export async function insist<T>(work: () => Promise<T>, forMs: number, ending?: AbortSignal): Promise<T> {
  for (const until = performance.now() + forMs; ; ) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > until || ending?.aborted || !isOutage(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}
