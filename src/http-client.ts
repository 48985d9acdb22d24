import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosResponse } from 'axios';

export type HttpErrorKind = 'timeout' | 'network' | 'too_large' | 'blocked' | 'aborted';

/**
 * No usable answer came. Carries the host and a short code and nothing else: an axios error holds the request with
 * its query, headers and body, so it is neither thrown on nor kept as a cause.
 */
export class HttpError extends Error {
  override name = 'HttpError';

  constructor(
    /** `blocked`: the agent refused the address; `aborted`: the caller's signal. */
    readonly kind: HttpErrorKind,
    readonly host: string,
    readonly code: string,
  ) {
    super(`request to ${host} failed: ${kind} (${code})`);
  }
}

export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** From the call to the last byte of the answer. */
  timeoutMs: number;
  /** No longer than this to connect, to the first byte, and between two bytes; `timeoutMs` where not given. */
  idleTimeoutMs?: number;
  /** Of the answer's body, counted after inflation. */
  maxBytes: number;
  /** Who connects: kept-alive, or guarded against private addresses. */
  agents?: { http: HttpAgent; https: HttpsAgent };
  signal?: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  text: string;
}

// The http adapter, since fetch ignores agents; no proxy from the environment, since an agent then guards the wrong
// address. Status and text are for the caller to judge: axios turns a malformed JSON body into a string without error.
const client = axios.create({
  adapter: 'http',
  proxy: false,
  maxRedirects: 0,
  maxBodyLength: 1_000_000,
  responseType: 'text',
  validateStatus: () => true,
  transformRequest: (body: unknown) => body,
  transformResponse: (body: unknown) => body,
});

/** Sends one request and reads the whole answer, whatever its status; redirects are not followed. @throws HttpError */
export async function request(wanted: HttpRequest): Promise<HttpAnswer> {
  const deadline = new AbortController();
  const abort = () => deadline.abort();
  const timer = setTimeout(abort, wanted.timeoutMs);
  // Not AbortSignal.any: on Node 20 it leaks for as long as the caller's signal lives.
  wanted.signal?.addEventListener('abort', abort, { once: true });
  if (wanted.signal?.aborted) abort();
  try {
    return readAnswer(
      await client.request<string>({
        method: wanted.method,
        url: wanted.url,
        headers: { 'User-Agent': 'grill-stats', ...wanted.headers },
        data: wanted.body,
        timeout: wanted.idleTimeoutMs ?? wanted.timeoutMs,
        maxContentLength: wanted.maxBytes,
        signal: deadline.signal,
        ...(wanted.agents && { httpAgent: wanted.agents.http, httpsAgent: wanted.agents.https }),
      }),
    );
  } catch (error) {
    throw toHttpError(error, wanted);
  } finally {
    clearTimeout(timer);
    wanted.signal?.removeEventListener('abort', abort);
  }
}

function readAnswer({ status, headers, data }: AxiosResponse<string>): HttpAnswer {
  const plain = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return { status, headers: Object.fromEntries(plain), text: data };
}

function toHttpError(error: unknown, { url, signal }: HttpRequest): HttpError {
  const host = URL.canParse(url) ? new URL(url).host : 'an invalid address';
  const message = error instanceof Error ? error.message : '';
  const named = error instanceof Error && 'code' in error ? String(error.code) : '';
  const code = /^[A-Z][A-Z0-9_]{2,59}$/.test(named) ? named : 'UNKNOWN';
  if (signal?.aborted) return new HttpError('aborted', host, code);
  if (['ERR_CANCELED', 'ECONNABORTED', 'ETIMEDOUT'].includes(code))
    return new HttpError('timeout', host, code);
  if (message.startsWith('maxContentLength')) return new HttpError('too_large', host, code);
  // The words of request-filtering-agent, whose errors have no code.
  if (message.includes('is not allowed. Because')) return new HttpError('blocked', host, 'EBLOCKED');
  return new HttpError('network', host, code);
}
