import { expect } from 'chai';
import { type DeliveryFate, failureOf } from '../../src/notifications/delivery-error.js';

describe('failureOf', () => {
  const now = new Date('2026-11-21T21:00:00Z');
  const fates: [number, DeliveryFate | undefined][] = [
    ...[200, 201, 202, 204, 299].map((status): [number, undefined] => [status, undefined]),
    ...[301, 302, 304, 307, 308].map((status): [number, 'retry'] => [status, 'retry']),
    ...[400, 401, 403, 404, 409, 422, 451].map((status): [number, 'permanent'] => [status, 'permanent']),
    ...[408, 425, 429, 500, 501, 502, 503, 504, 599].map((status): [number, 'retry'] => [status, 'retry']),
    [410, 'gone'],
  ];
  for (const [status, fate] of fates) {
    it(`takes ${status} for ${fate ?? 'delivered'}`, () => {
      expect(failureOf({ status, headers: {} }, now)?.fate).to.equal(fate);
    });
  }

  it('lets the service say more than its status, and otherwise', () => {
    const headers = { 'retry-after': '30' };
    const asked = failureOf({ status: 404, headers }, now, {
      fate: 'gone',
      reason: 'no_service',
      retryAfterMs: 9,
    });
    expect(asked).to.include({ fate: 'gone', statusCode: 404, retryAfterMs: 30_000 });
    expect(asked?.message).to.equal('the receiver answered 404: no_service');
    expect(failureOf({ status: 429, headers }, now, { retryAfterMs: 64_570 })?.retryAfterMs).to.equal(64_570);
    expect(failureOf({ status: 200, headers: {} }, now, { fate: 'retry' })).to.include({ fate: 'retry' });
    expect(failureOf({ status: 200, headers: {} }, now, { reason: 'well' })).to.equal(undefined);
  });

  const asked: [string, number][] = [
    ['120', 120_000],
    ['0', 0],
    ['Sat, 21 Nov 2026 21:01:30 GMT', 90_000],
    ['Sat, 21 Nov 2026 20:00:00 GMT', 0],
    ['soon', 0],
    ['-5', 0],
    ['1e9', 0],
  ];
  for (const [header, ms] of asked) {
    it(`reads "Retry-After: ${header}" as ${ms} ms`, () => {
      expect(failureOf({ status: 429, headers: { 'retry-after': header } }, now)?.retryAfterMs).to.equal(ms);
    });
  }
});
