/** Whether another attempt may help: `gone` and `refused` are permanent too, the first switches the channel off. */
export type DeliveryFate = 'retry' | 'permanent' | 'gone' | 'refused';

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

/** What an HTTP answer means for a delivery: nothing wrong with 2xx; redirects are not followed but tried again. */
export function failureOf(
  { status, headers }: { status: number; headers: Record<string, string> },
  now: Date,
): DeliveryError | undefined {
  if (status >= 200 && status < 300) return undefined;
  const message = `the receiver answered ${status}`;
  if (status === 410) return new DeliveryError(message, 'gone', { statusCode: status });
  const retryable = status < 400 || status >= 500 || [408, 425, 429].includes(status);
  return new DeliveryError(message, retryable ? 'retry' : 'permanent', {
    statusCode: status,
    retryAfterMs: retryAfterMs(headers['retry-after'], now),
  });
}

/** `Retry-After` as seconds or as a date; 0 where there is none to understand. */
function retryAfterMs(header: string | undefined, now: Date): number {
  if (header === undefined) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now.getTime();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
