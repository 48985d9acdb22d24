import { expect } from 'chai';
import {
  type CloudCall,
  classifyFault,
  errorIn,
  reasonOf,
  retryAfterOf,
  statusOf,
} from '../../src/thermoworks/cloud-error.js';

describe('classifyFault', () => {
  const API_KEY = 'API key not valid. Please pass a valid API key.';
  const NO_KEY = 'The request is missing a valid API key.';
  const REFERER = 'Requests from referer <empty> are blocked.';
  const cases: [CloudCall, number, string | null, string][] = [
    ['sign_in', 400, 'INVALID_LOGIN_CREDENTIALS', 'bad_login'],
    ['sign_in', 400, 'EMAIL_NOT_FOUND', 'bad_login'],
    ['sign_in', 400, 'INVALID_PASSWORD', 'bad_login'],
    ['sign_in', 400, 'INVALID_EMAIL', 'bad_login'],
    ['sign_in', 400, 'MISSING_PASSWORD', 'bad_login'],
    ['sign_in', 400, 'USER_DISABLED', 'bad_login'],
    ['sign_in', 400, 'TOO_MANY_ATTEMPTS_TRY_LATER : Access was disabled.', 'rate_limited'],
    ['sign_in', 400, 'PASSWORD_LOGIN_DISABLED', 'unsupported'],
    ['sign_in', 400, 'OPERATION_NOT_ALLOWED', 'unsupported'],
    ['sign_in', 400, API_KEY, 'provider'],
    ['sign_in', 403, REFERER, 'provider'],
    ['sign_in', 400, 'TOKEN_EXPIRED', 'rejected'],
    ['refresh', 400, 'TOKEN_EXPIRED', 'dead_credential'],
    ['refresh', 400, 'TOKEN_EXPIRED : The token is no longer valid.', 'dead_credential'],
    ['refresh', 400, 'USER_DISABLED', 'dead_credential'],
    ['refresh', 400, 'USER_NOT_FOUND', 'dead_credential'],
    ['refresh', 400, 'INVALID_REFRESH_TOKEN', 'dead_credential'],
    ['refresh', 400, 'PROJECT_NUMBER_MISMATCH', 'dead_credential'],
    ['refresh', 400, 'INVALID_GRANT_TYPE', 'rejected'],
    ['refresh', 400, 'MISSING_GRANT_TYPE', 'rejected'],
    ['refresh', 400, 'MISSING_REFRESH_TOKEN', 'rejected'],
    ['refresh', 400, 'Invalid JSON payload received. Unexpected token.', 'rejected'],
    ['refresh', 400, 'A_NEW_REASON', 'rejected'],
    ['refresh', 400, API_KEY, 'provider'],
    ['refresh', 403, NO_KEY, 'provider'],
    ['refresh', 403, REFERER, 'provider'],
    ['refresh', 403, null, 'provider'],
    ['refresh', 400, null, 'transient'],
    ['refresh', 401, 'UNAUTHENTICATED', 'transient'],
    ['refresh', 429, 'TOKEN_EXPIRED', 'rate_limited'],
    ['refresh', 500, 'TOKEN_EXPIRED', 'transient'],
    ['refresh', 502, null, 'transient'],
    ['refresh', 503, null, 'transient'],
    ['refresh', 504, null, 'transient'],
    ['web_config', 403, REFERER, 'provider'],
    ['web_config', 400, API_KEY, 'provider'],
    ['devices', 400, 'INVALID_ARGUMENT', 'rejected'],
    ['devices', 400, API_KEY, 'provider'],
    ['devices', 400, null, 'transient'],
    ['devices', 401, 'Missing or invalid authentication.', 'unauthorized'],
    ['devices', 401, null, 'unauthorized'],
    ['channels', 403, 'Missing or insufficient permissions.', 'forbidden'],
    ['channels', 403, NO_KEY, 'provider'],
    ['channel', 404, 'Document "x" not found.', 'not_found'],
    ['user', 409, 'ABORTED', 'transient'],
    ['devices', 429, null, 'rate_limited'],
    ['devices', 408, 'TOO_SLOW', 'transient'],
    ['devices', 499, 'CANCELLED', 'transient'],
    ['devices', 500, 'INTERNAL', 'transient'],
    ['devices', 503, 'UNAVAILABLE', 'transient'],
    ['devices', 504, 'DEADLINE_EXCEEDED', 'transient'],
    ['devices', 302, null, 'transient'],
  ];
  for (const [call, status, message, kind] of cases) {
    it(`takes ${status} "${message}" of ${call} as ${kind}`, () => {
      const error = message === null ? null : errorIn({ error: { code: status, message } });
      expect(classifyFault(call, status, error)).to.equal(kind);
    });
  }

  it('knows a refused key by its detail too', () => {
    const details = [{}, { reason: 'API_KEY_HTTP_REFERRER_BLOCKED' }];
    const error = errorIn({ error: { code: 403, message: 'No.', details } });
    expect(classifyFault('devices', 403, error)).to.equal('provider');
  });
});

describe('cloud error bodies', () => {
  const DENIED = { error: { code: 403, message: 'No.', status: 'PERMISSION_DENIED' } };

  it('are unwrapped from an array, and found among its elements', () => {
    for (const body of [DENIED, [DENIED], [{ readTime: 'x' }, DENIED]])
      expect(errorIn(body)).to.deep.include({ code: 403, status: 'PERMISSION_DENIED' });
    for (const body of [
      null,
      undefined,
      'error',
      [],
      [{ readTime: 'x' }],
      { error: 'no' },
      { document: DENIED },
    ])
      expect(errorIn(body)).to.equal(null);
    expect(errorIn({ error: { code: '1', message: 2, status: null, details: [3, null] } })).to.deep.equal({
      code: null,
      message: '',
      status: '',
      detail: '',
    });
  });

  it('give the status where the answer itself is a success', () => {
    expect(statusOf(200, null)).to.equal(200);
    expect(statusOf(200, errorIn([DENIED]))).to.equal(403);
    expect(statusOf(503, errorIn([DENIED]))).to.equal(503);
    expect(statusOf(200, errorIn({ error: {} }))).to.equal(500);
  });

  it('give a code to show and never free text', () => {
    const reason = (error: object) => reasonOf(400, errorIn({ error }));
    expect(reason({ message: 'TOKEN_EXPIRED : long text' })).to.equal('TOKEN_EXPIRED');
    expect(reason({ message: 'Invalid JSON: refresh_token=S3CRET', status: 'INVALID_ARGUMENT' })).to.equal(
      'INVALID_ARGUMENT',
    );
    expect(reason({ message: 'S3CRET in words' })).to.equal('HTTP_400');
    expect(reasonOf(502, null)).to.equal('HTTP_502');
  });
});

describe('retryAfterOf', () => {
  const now = new Date('2026-11-20T10:00:00Z');
  const cases: [Record<string, string>, number | undefined][] = [
    [{}, undefined],
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': '0' }, 0],
    [{ 'retry-after': '-3' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '999999999' }, 3_600_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 10:00:30 GMT' }, 30_000],
    [{ 'retry-after': 'Fri, 20 Nov 2026 09:00:30 GMT' }, undefined],
    [{ 'retry-after': 'Fri, 20 Nov 2026 11:00:30 GMT', date: 'Fri, 20 Nov 2026 11:00:00 GMT' }, 30_000],
  ];
  for (const [headers, expected] of cases) {
    it(`reads ${JSON.stringify(headers)} as ${expected} ms`, () => {
      expect(retryAfterOf(headers, now)).to.equal(expected);
    });
  }
});
