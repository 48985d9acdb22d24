import type { IncomingHttpHeaders } from 'node:http';
import { isRecord, type Json, parseJson } from './json.js';
import type { ShownProbe } from './ledger.js';

/** One request, its path split at `/` before each part was decoded. */
export interface Call {
  method: string;
  path: string[];
  /** Parsed as a form: `+` is a space. */
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
  route: Route;
  nowMs: number;
}

export type Route =
  | 'webConfig'
  | 'signIn'
  | 'token'
  | 'user'
  | 'query'
  | 'batchGet'
  | 'list'
  | 'channel'
  | 'device'
  | 'unknown';

export interface Answer {
  json: unknown;
  /** Channel documents in the answer, for the ledger. */
  shown?: ShownProbe[];
}

/** An answer that is no success; `message` is what the body says. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    readonly status: string,
    message: string,
    readonly details: Json = {},
  ) {
    super(message);
  }
}

export const invalid = (message: string) => new Refusal(400, 'INVALID_ARGUMENT', message);
export const denied = () => new Refusal(403, 'PERMISSION_DENIED', 'Missing or insufficient permissions.');
export const notFound = (what: string) => new Refusal(404, 'NOT_FOUND', `${what} not found.`);

/** The body of a refusal: an object, inside an array for the two streaming calls. */
export function refusalBody(route: Route, { code, status, message, details }: Refusal): unknown {
  const isAuth = route === 'webConfig' || route === 'signIn' || route === 'token';
  const reason = code === 403 ? 'forbidden' : 'invalid';
  const errors = isAuth ? { errors: [{ message, domain: 'global', reason }] } : {};
  const body = { error: { code, message, ...errors, status, ...details } };
  return route === 'query' || route === 'batchGet' ? [body] : body;
}

/** The body as a JSON object, or as a form where the content type says so; undefined where it is neither. */
export function parseBody({ headers, body }: Call): Json | undefined {
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
    return Object.fromEntries(new URLSearchParams(body));
  }
  const parsed = parseJson(body === '' ? '{}' : body);
  return isRecord(parsed) ? parsed : undefined;
}

/** The same, refused where it cannot be read. */
export function bodyOf(call: Call): Json {
  const body = parseBody(call);
  if (!body) throw invalid('Invalid JSON payload received. Unexpected token.');
  return body;
}

export function routeOf(method: string, path: string[]): Route {
  const [version, first = '', , , , documents, collection, , sub, leaf] = path;
  if (version === 'v1alpha') return method === 'GET' && path[5] === 'webConfig' ? 'webConfig' : 'unknown';
  if (version !== 'v1') return 'unknown';
  if (method === 'POST') {
    if (first === 'accounts:signInWithPassword') return 'signIn';
    if (first === 'token') return 'token';
    if (documents === 'documents:runQuery') return 'query';
    return documents === 'documents:batchGet' ? 'batchGet' : 'unknown';
  }
  if (method !== 'GET' || documents !== 'documents') return 'unknown';
  if (collection === 'users' && path.length === 8) return 'user';
  if (collection !== 'devices') return 'unknown';
  if (path.length === 8) return 'device';
  if (sub !== 'channels') return 'unknown';
  return leaf === undefined ? 'list' : 'channel';
}
