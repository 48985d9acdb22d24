/**
 * Whether another attempt may help: only after `retry`. `permanent` and `refused` switch the channel off if its owner has
 * another, `gone` always; `moot` never: there was nothing to tell, or nothing to tell it with.
 */
export type DeliveryFate = 'retry' | 'permanent' | 'gone' | 'refused' | 'moot';

/** What a service says in its answer that the status does not; with a fate, 2xx is a failure too. */
export interface Verdict {
  fate?: DeliveryFate;
  /** For the channel's owner: inert, and without any secret. */
  reason?: string;
  retryAfterMs?: number;
}

/** An attempt that did not deliver. Its message is shown to the channel's owner. */
export class DeliveryError extends Error {
  override name = 'DeliveryError';
  readonly statusCode: number | null;
  /** What the receiver asked for. */
  readonly retryAfterMs: number;

  constructor(
    message: string,
    readonly fate: DeliveryFate,
    { statusCode = null, retryAfterMs = 0 }: { statusCode?: number | null; retryAfterMs?: number } = {},
  ) {
    super(message);
    this.statusCode = statusCode;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * What an HTTP answer means for a delivery: nothing wrong with 2xx; redirects are not followed but tried again.
 * @param verdict what the service itself says, which goes before the status
 */
export function failureOf(
  { status, headers }: { status: number; headers: Record<string, string> },
  now: Date,
  verdict: Verdict = {},
): DeliveryError | undefined {
  if (status >= 200 && status < 300 && !verdict.fate) return undefined;
  const message = `the receiver answered ${status}${verdict.reason ? `: ${verdict.reason}` : ''}`;
  const retryable = status < 400 || status >= 500 || [408, 425, 429].includes(status);
  const byStatus = status === 410 ? 'gone' : retryable ? 'retry' : 'permanent';
  return new DeliveryError(message, verdict.fate ?? byStatus, {
    statusCode: status,
    retryAfterMs: Math.max(retryAfterMs(headers['retry-after'], now), verdict.retryAfterMs ?? 0),
  });
}

/** `Retry-After` as seconds or as a date; 0 where there is none to understand. */
function retryAfterMs(header: string | undefined, now: Date): number {
  if (header === undefined) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
