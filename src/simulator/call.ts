import type { IncomingHttpHeaders } from 'node:http';
import { isRecord, type Json, parseJson } from './json.js';
import type { ArchivedRow, ShownProbe } from './ledger.js';

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

const PATTERNS = {
  webConfig: /^GET v1alpha projects - apps \S+ webConfig$/,
  signIn: /^POST v1 accounts:signInWithPassword$/,
  token: /^POST v1 token$/,
  user: /^GET v1 projects \S+ databases \S+ documents users \S+$/,
  query: /^POST v1 projects \S+ databases \S+ documents:runQuery$/,
  batchGet: /^POST v1 projects \S+ databases \S+ documents:batchGet$/,
  list: /^GET v1 projects \S+ databases \S+ documents devices \S+ channels$/,
  channel: /^GET v1 projects \S+ databases \S+ documents devices \S+ channels \S+$/,
  archives: /^GET v1 projects \S+ databases \S+ documents devices \S+ archive$/,
  archive: /^GET v1 projects \S+ databases \S+ documents devices \S+ archive \S+$/,
  file: /^GET v0 b \S+ o .+$/,
  device: /^GET v1 projects \S+ databases \S+ documents devices \S+$/,
  unknown: /^/,
};
export type Route = keyof typeof PATTERNS;
const isRoute = (name: string): name is Route => name in PATTERNS;
export const ROUTES = Object.keys(PATTERNS).filter(isRoute);

export const routeOf = (method: string, path: string[]): Route =>
  ROUTES.find((route) => PATTERNS[route].test([method, ...path].join(' '))) ?? 'unknown';

export interface Answer {
  json: unknown;
  /** Channel documents in the answer, for the ledger. */
  shown?: ShownProbe[];
  /** An archive's rows in the answer, likewise. */
  rows?: ArchivedRow[];
  /** Default application/json. */
  type?: string;
}

const STATUS: Record<number, string> = {
  ...{ 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND' },
  ...{
    409: 'ABORTED',
    429: 'RESOURCE_EXHAUSTED',
    500: 'INTERNAL',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
  },
};

/** An answer that is no success; `message` is what the body says, `more` goes beside it. */
export class Refusal extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly more: Json = {},
  ) {
    super(message);
  }
}

export const invalid = (message: string) => new Refusal(400, message);
export const denied = () => new Refusal(403, 'Missing or insufficient permissions.');
export const notFound = (what: string) => new Refusal(404, `${what} not found.`);

/** The body of a refusal: an object, inside an array for the two streaming calls. */
export function refusalBody(route: Route, { code, message, more }: Refusal): unknown {
  const isAuth = route === 'webConfig' || route === 'signIn' || route === 'token';
  const reason = code === 403 ? 'forbidden' : 'invalid';
  const errors = isAuth ? { errors: [{ message, domain: 'global', reason }] } : {};
  const body = { error: { code, message, ...errors, status: STATUS[code] ?? 'UNKNOWN', ...more } };
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
