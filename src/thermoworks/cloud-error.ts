import { isRecord } from './firestore-value.js';

/** One kind of request; a label of a metric. */
export type CloudCall =
  | 'web_config'
  | 'sign_in'
  | 'refresh'
  | 'user'
  | 'devices'
  | 'channels'
  | 'channel_list'
  | 'channel'
  | 'archives'
  | 'archive_file';

/**
 * Of one account: `unauthorized` (refresh, then once more), `forbidden`, `dead_credential` (only from a refresh),
 * `bad_login`, `no_account`, `unsupported` (second factor, password sign-in switched off), `not_found`.
 * Of the whole provider: `provider` (API key, referer), `rate_limited`, `transient`. Of ourselves: `rejected`.
 */
export type CloudFaultKind =
  | 'unauthorized'
  | 'forbidden'
  | 'dead_credential'
  | 'bad_login'
  | 'no_account'
  | 'unsupported'
  | 'not_found'
  | 'provider'
  | 'rate_limited'
  | 'transient'
  | 'rejected';

/** A call to the cloud that failed. Holds no token, password, address or text that the cloud was free to choose. */
export class CloudError extends Error {
  override name = 'CloudError';
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;
  /** Not before this; where the cloud or the breaker asked for it. */
  readonly retryAfterMs: number | undefined;

  /** @param reason the cloud's code, such as `TOKEN_EXPIRED`; in lower case our own, such as `timeout` */
  constructor(
    readonly call: CloudCall,
    readonly kind: CloudFaultKind,
    readonly reason: string,
    { status, retryAfterMs, cause }: { status?: number; retryAfterMs?: number; cause?: Error } = {},
  ) {
    super(`${call} failed: ${kind}, ${reason}`, { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What an error body says: the part of `error.message` before ` : `, and the codes beside it. */
export interface ErrorBody {
  code: number | null;
  message: string;
  status: string;
  /** `details[].reason` of an ErrorInfo. */
  detail: string;
}

const DEAD = /^(?:TOKEN_EXPIRED|USER_DISABLED|USER_NOT_FOUND|INVALID_REFRESH_TOKEN|PROJECT_NUMBER_MISMATCH)$/;
const BAD_LOGIN =
  /^(?:INVALID_LOGIN_CREDENTIALS|EMAIL_NOT_FOUND|USER_DISABLED|(?:INVALID|MISSING)_(?:PASSWORD|EMAIL))$/;
const SWITCHED_OFF = /^(?:PASSWORD_LOGIN_DISABLED|OPERATION_NOT_ALLOWED)$/;
const PROVIDER_WIDE =
  /^(?:API key not valid|API key expired|The request is missing a valid API key|Requests )/;
/** The error in a body, also where a streaming call put it among the elements of an array; null if there is none. */
export function errorIn(body: unknown): ErrorBody | null {
  const holders = Array.isArray(body) ? body : [body];
  const error = holders.filter(isRecord).find((holder) => isRecord(holder.error))?.error;
  if (!isRecord(error)) return null;
  const detail = Array.isArray(error.details)
    ? error.details.filter(isRecord).map(({ reason }) => reason)
    : [];
  return {
    code: typeof error.code === 'number' ? error.code : null,
    message: typeof error.message === 'string' ? (error.message.split(' : ')[0] ?? '').trim() : '',
    status: typeof error.status === 'string' ? error.status : '',
    detail: detail.find((reason) => typeof reason === 'string') ?? '',
  };
}

/** The status to go by: the answer's own, or in a 200 whose array holds an error, the one that it names. */
export function statusOf(httpStatus: number, error: ErrorBody | null): number {
  if (httpStatus >= 300 || !error) return httpStatus;
  return error.code ?? 500;
}

/**
 * What a failed call means. Sources: Firebase Auth and Firestore REST documentation and what clients saw on the
 * wire. A provider-wide fault never condemns an account.
 *
 * @param status as of {@link statusOf}, not a success
 */
export function classifyFault(call: CloudCall, status: number, error: ErrorBody | null): CloudFaultKind {
  if (status === 429) return 'rate_limited';
  if (status < 400 || status === 408 || status === 409 || status >= 499) return 'transient';
  if (error && (PROVIDER_WIDE.test(error.message) || error.detail.startsWith('API_KEY_'))) return 'provider';
  if (call === 'web_config' || call === 'sign_in' || call === 'refresh')
    return classifyAuthFault(call, status, error);
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  return error ? 'rejected' : 'transient'; // without an error of the cloud's form, something on the way answered
}

function classifyAuthFault(call: CloudCall, status: number, error: ErrorBody | null): CloudFaultKind {
  if (!error) return status === 403 ? 'provider' : 'transient';
  if (call === 'refresh' && DEAD.test(error.message)) return 'dead_credential';
  if (call === 'sign_in') {
    if (BAD_LOGIN.test(error.message)) return 'bad_login';
    if (SWITCHED_OFF.test(error.message)) return 'unsupported';
    if (error.message === 'TOO_MANY_ATTEMPTS_TRY_LATER') return 'rate_limited';
  }
  if (status === 403) return 'provider';
  return status === 401 ? 'transient' : 'rejected';
}

/** A code to show for a failed call. Free text is left out: an error may quote the request, with the token in it. */
export function reasonOf(status: number, error: ErrorBody | null): string {
  const codes = error ? [error.message, error.detail, error.status] : [];
  return codes.find((code) => /^[A-Z][A-Z0-9_]{2,59}$/.test(code)) ?? `HTTP_${status}`;
}

/** `Retry-After` in ms, from seconds or from a date on the clock that the answer's `Date` shows; at most an hour. */
export function retryAfterOf(headers: Record<string, string>, now: Date): number | undefined {
  const text = headers['retry-after']?.trim();
  if (!text) return undefined;
  const sentAt = Date.parse(headers.date ?? '') || now.getTime();
  const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - sentAt;
  return waitMs >= 0 ? Math.min(waitMs, 3_600_000) : undefined;
}
