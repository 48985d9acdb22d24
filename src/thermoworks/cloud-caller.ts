import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpAnswer, HttpError, request } from '../http-client.js';
import { Breaker, type BreakerOutcome } from './breaker.js';
import {
  type CloudCall,
  CloudError,
  classifyFault,
  errorIn,
  reasonOf,
  retryAfterOf,
  statusOf,
} from './cloud-error.js';
import { parseJsonBody } from './json-body.js';

export interface CallLimits {
  /** For one call, its retries included. */
  deadlineMs: number;
  /** Without a byte from the cloud, connecting included. */
  idleMs: number;
  /** Of a body, after inflation. */
  maxBytes: number;
  /** A retry waits a random part of this, then of twice this. */
  retryBaseMs: number;
}

export interface CallerOptions {
  now: () => Date;
  random: () => number;
  /** Every request that went out: an HTTP status, or what came instead of one (`timeout`, `network`, …). */
  onRequest?: (call: CloudCall, status: string) => void;
  /** Ends calls and their waiting. */
  signal?: AbortSignal;
  limits?: Partial<CallLimits>;
}

export interface CloudRequest {
  call: CloudCall;
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body?: string;
  /** A file: its answer is text of any content type, with limits of its own. */
  file?: Pick<CallLimits, 'maxBytes' | 'deadlineMs'>;
}

export interface CloudAnswer {
  /** Parsed; the text of a file. */
  body: unknown;
  /** The cloud's clock as its `Date` header shows it, else ours. */
  sentAt: Date;
}

const DEFAULT_LIMITS: CallLimits = {
  deadlineMs: 20_000,
  idleMs: 10_000,
  maxBytes: 5_000_000,
  retryBaseMs: 500,
};
const LONGEST_WAIT_MS = 5_000;
const RATE_LIMIT_MS = 60_000;
const LOGIN_BRAKE_MS = 300_000;
/** Transient faults that another try now would not mend. */
const NOT_RETRIED = ['aborted', 'breaker_open', 'too_large'];

/** Sends calls to one provider: deadline, bounded bodies, retries, and a breaker for each of its hosts. */
export class CloudCaller {
  private readonly limits: CallLimits;
  private readonly breakers: Map<string, Breaker>;
  private readonly agents = {
    http: new HttpAgent({ keepAlive: true }),
    https: new HttpsAgent({ keepAlive: true }),
  };

  constructor(
    baseUrls: string[],
    private readonly options: CallerOptions,
  ) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.breakers = new Map(baseUrls.map((baseUrl) => [new URL(baseUrl).host, new Breaker(options)]));
  }

  /**
   * The parsed body of a 2xx answer. Only transient faults are tried again.
   * @param within ms for the call, where that is less than its limit @throws CloudError
   */
  async send(wanted: CloudRequest, within = Number.POSITIVE_INFINITY): Promise<CloudAnswer> {
    const deadlineMs = Math.min(within, wanted.file?.deadlineMs ?? this.limits.deadlineMs);
    const deadline = performance.now() + deadlineMs;
    const retries = wanted.call === 'refresh' || wanted.call === 'sign_in' ? 1 : 2;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.attempt(wanted, deadline - performance.now());
      } catch (error) {
        const waitMs = attempt < retries ? this.retryDelayMs(error, attempt) : null;
        // With hardly any time left another try could only fail.
        if (waitMs === null || performance.now() + waitMs > deadline - deadlineMs / 10) throw error;
        await sleep(waitMs, undefined, { signal: this.options.signal }).catch(() => {
          throw error;
        });
      }
    }
  }

  /** Ends kept-alive connections. */
  close(): void {
    this.agents.http.destroy();
    this.agents.https.destroy();
  }

  /** Full jitter, but never before the cloud's `Retry-After`; null where trying again is not for this call. */
  private retryDelayMs(error: unknown, attempt: number): number | null {
    if (!(error instanceof CloudError) || error.kind !== 'transient') return null;
    const leastMs = error.retryAfterMs ?? 0;
    if (NOT_RETRIED.includes(error.reason) || leastMs > LONGEST_WAIT_MS) return null;
    return Math.max(leastMs, this.options.random() * this.limits.retryBaseMs * 2 ** attempt);
  }

  private async attempt(wanted: CloudRequest, timeoutMs: number): Promise<CloudAnswer> {
    const host = new URL(wanted.url).host;
    const admission = this.breakers.get(host)?.admit() ?? { pass: 'call' };
    if (admission.pass === 'no') {
      const { cause: kind, retryAfterMs } = admission;
      throw new CloudError(wanted.call, kind, 'breaker_open', { retryAfterMs });
    }
    const { pass } = admission;
    const caller = wanted.headers.authorization ?? wanted.body;
    try {
      const answer = await this.exchange(wanted, timeoutMs);
      this.breakers.get(host)?.record(pass, 'fine', 0, caller);
      return answer;
    } catch (error) {
      const outcome = outcomeOf(error);
      const providerWide = outcome === 'provider' || outcome === 'rate_limited';
      const retryAfterMs = error instanceof CloudError ? error.retryAfterMs : undefined;
      for (const [name, breaker] of this.breakers)
        if (name === host || providerWide)
          breaker.record(name === host ? pass : 'call', outcome, retryAfterMs, caller);
      throw error;
    }
  }

  private async exchange(wanted: CloudRequest, timeoutMs: number): Promise<CloudAnswer> {
    const { call, file, ...rest } = wanted;
    const { now, signal, onRequest } = this.options;
    const { idleMs, maxBytes } = { ...this.limits, ...file };
    try {
      const answer = await request({
        ...rest,
        timeoutMs,
        idleTimeoutMs: idleMs,
        maxBytes,
        agents: this.agents,
        signal,
      });
      onRequest?.(call, String(answer.status));
      return readAnswer(wanted, answer, now());
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      onRequest?.(call, error.kind);
      throw new CloudError(call, 'transient', error.kind, { cause: error });
    }
  }
}

function readAnswer({ call, file }: CloudRequest, answer: HttpAnswer, now: Date): CloudAnswer {
  const isFile = file !== undefined && answer.status >= 200 && answer.status < 300;
  const isJson = /\bjson\b/i.test(answer.headers['content-type'] ?? '');
  const json = isFile ? answer.text : isJson ? parsed(answer.text) : undefined;
  const error = errorIn(json);
  const status = statusOf(answer.status, error);
  if (status >= 200 && status < 300) {
    if (json === undefined) throw new CloudError(call, 'transient', 'not_json', { status });
    const sentAt = new Date(answer.headers.date ?? '');
    const year = sentAt.getUTCFullYear();
    return { body: json, sentAt: year >= 1970 && year <= 9999 ? sentAt : now };
  }
  const kind = classifyFault(call, status, error);
  const asked = retryAfterOf(answer.headers, now);
  const least = status === 429 ? RATE_LIMIT_MS : LOGIN_BRAKE_MS;
  const retryAfterMs = kind === 'rate_limited' ? Math.max(asked ?? 0, least) : asked;
  throw new CloudError(call, kind, reasonOf(status, error), { status, retryAfterMs });
}

/** Undefined for what is no JSON: the parser's error would quote the body. */
function parsed(text: string): unknown {
  try {
    return parseJsonBody(text);
  } catch {
    return undefined;
  }
}

/** What a fault says of the host. One that refuses an account, or sends too much, is up. */
function outcomeOf(error: unknown): BreakerOutcome {
  if (!(error instanceof CloudError) || error.reason === 'aborted') return 'unknown';
  if (error.kind === 'provider') return 'provider';
  if (error.kind === 'rate_limited') return error.status === 429 ? 'rate_limited' : 'fine';
  return error.kind === 'transient' && error.reason !== 'too_large' ? 'transient' : 'fine';
}
