import type { Account, Accounts } from './accounts.js';
import { bodyOf, type Call, invalid, notFound, parseBody, Refusal } from './call.js';
import { parseJson, record, text } from './json.js';

/** The public constants of ThermoWorks Cloud's web app (US). */
export const APP = {
  apiKey: 'AIzaSyCf079iccUFc1k7VHdGXng22zXDy8Y3KEY',
  appId: '1:78998049458:web:b41e9d405d8c7de95eefab',
  referer: 'https://cloud.thermoworks.com/',
  projectId: 'thermoworks-cloud-production',
  projectNumber: '78998049458',
};

export const BUCKET = `${APP.projectId}.appspot.com`;

/** The gate of web config, sign-in and refresh: the API key, then the referer. */
function checkApp({ query, headers }: Call): void {
  const key = query.get('key') ?? headers['x-goog-api-key'];
  if (!key) throw new Refusal(403, 'The request is missing a valid API key.');
  if (key !== APP.apiKey) throw invalid('API key not valid. Please pass a valid API key.');
  const referer = headers.referer ?? '';
  if (referer.startsWith(APP.referer)) return;
  const detail = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: 'API_KEY_HTTP_REFERRER_BLOCKED',
    domain: 'googleapis.com',
  };
  const message = `Requests from referer ${referer || '<empty>'} are blocked.`;
  throw new Refusal(403, message, { details: [detail] });
}

export function webConfig(call: Call): unknown {
  checkApp(call);
  if (call.path[4] !== APP.appId) throw notFound('App');
  const { projectId, appId, projectNumber } = APP;
  return {
    projectId,
    appId,
    databaseURL: `https://${projectId}.firebaseio.com`,
    storageBucket: BUCKET,
    locationId: 'us-central',
    authDomain: `${projectId}.firebaseapp.com`,
    messagingSenderId: projectNumber,
    measurementId: 'G-SIMULATED',
  };
}

export function signIn(call: Call, accounts: Accounts, speed: number): unknown {
  checkApp(call);
  const { email, password } = bodyOf(call);
  if (!password) throw invalid('MISSING_PASSWORD');
  const account = accounts.find(text(email) ?? '');
  if (account?.email !== email || account?.password !== password || account?.revoked === 'USER_NOT_FOUND') {
    throw invalid('INVALID_LOGIN_CREDENTIALS');
  }
  if (account.revoked === 'USER_DISABLED') throw invalid('USER_DISABLED');
  account.renew();
  return {
    kind: 'identitytoolkit#VerifyPasswordResponse',
    localId: account.uid,
    email: account.email,
    displayName: '',
    idToken: idToken(account, call.nowMs, speed),
    registered: true,
    refreshToken: account.refreshToken,
    expiresIn: String(account.tokenSeconds),
  };
}

export function refresh(call: Call, accounts: Accounts, speed: number): unknown {
  checkApp(call);
  const body = bodyOf(call);
  if (!body.grant_type) throw invalid('MISSING_GRANT_TYPE');
  if (body.grant_type !== 'refresh_token') throw invalid('INVALID_GRANT_TYPE');
  const token = text(body.refresh_token);
  if (!token) throw invalid('MISSING_REFRESH_TOKEN');
  const account = accounts.find(token);
  if (!account?.acceptsRefreshToken(token)) throw invalid('INVALID_REFRESH_TOKEN');
  if (account.revoked) throw invalid(account.revoked);
  account.rotate();
  const access = idToken(account, call.nowMs, speed);
  return {
    access_token: access,
    expires_in: String(account.tokenSeconds),
    token_type: 'Bearer',
    refresh_token: account.rotation ? account.refreshToken : token,
    id_token: access,
    user_id: account.uid,
    project_id: APP.projectNumber,
  };
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An unsigned JWT. It lives `tokenSeconds` of the client's time, so with a fast clock `exp` is further away. */
function idToken(account: Account, nowMs: number, speed: number): string {
  const iat = Math.floor(nowMs / 1000);
  const payload = {
    iss: `https://securetoken.google.com/${APP.projectId}`,
    aud: APP.projectId,
    sub: account.uid,
    user_id: account.uid,
    email: account.email,
    iat,
    auth_time: iat,
    exp: iat + Math.ceil(account.tokenSeconds * Math.max(1, speed)),
    generation: account.generation,
    firebase: { sign_in_provider: 'password' },
  };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(payload)}.`;
}

const claimsOf = ({ headers }: Call) => {
  const payload = headers.authorization?.replace(/^(?:Bearer|Firebase) /, '').split('.')[1] ?? '';
  return record(parseJson(Buffer.from(payload, 'base64url').toString()));
};

/** Whom the request speaks for, without checking it: for faults and the request log. */
export function claimedAccount(call: Call, accounts: Accounts): Account | undefined {
  const body = call.route === 'signIn' || call.route === 'token' ? parseBody(call) : undefined;
  return accounts.find(text(body?.email) ?? text(body?.refresh_token) ?? text(claimsOf(call).sub) ?? '');
}

/** The account of a bearer token; {@link Refusal} 401 for a missing, foreign, expired or withdrawn one. */
export function authenticate(call: Call, accounts: Accounts): Account {
  const { sub, aud, exp, generation } = claimsOf(call);
  const account = accounts.find(text(sub) ?? '');
  const isLive = aud === APP.projectId && Number(exp) * 1000 > call.nowMs;
  if (account && isLive && generation === account.generation) return account;
  throw new Refusal(401, 'Missing or invalid authentication.');
}
