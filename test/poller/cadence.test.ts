import { expect } from 'chai';
import * as fc from 'fast-check';
import type { LeasedAccount } from '../../src/accounts/credential-manager.js';
import { SecretError } from '../../src/accounts/secret-box.js';
import { backOffSeconds, type DeviceActivity, nextPollSeconds } from '../../src/poller/cadence.js';
import { READ_USER_AGAIN } from '../../src/poller/poll-account.js';
import { afterFailure } from '../../src/poller/poller.js';
import { CloudError, type CloudFaultKind } from '../../src/thermoworks/cloud-error.js';

const BOUNDS = { minSeconds: 15, maxSeconds: 900 };

describe('poll cadence', () => {
  const device = (more: Partial<DeviceActivity>): DeviceActivity => ({
    intervalSeconds: null,
    silentSeconds: 10,
    isLogger: false,
    nearTarget: false,
    ...more,
  });
  const seconds = (...devices: Partial<DeviceActivity>[]) =>
    nextPollSeconds(devices.map(device), { ...BOUNDS, random: () => 0.5 });

  const table: [string, Partial<DeviceActivity>, number][] = [
    ['half its interval', { intervalSeconds: 120 }, 60],
    ['not under 30 s', { intervalSeconds: 10 }, 30],
    ['not over 300 s', { intervalSeconds: 7200 }, 300],
    ['30 s where no interval is known', {}, 30],
    ['the minimum near a target', { intervalSeconds: 120, nearTarget: true }, 15],
    ['300 s before its first reading', { silentSeconds: null }, 300],
    ['300 s after ten silent minutes', { silentSeconds: 601, intervalSeconds: 60 }, 300],
    [
      'still half its interval after ten minutes of a slow one',
      { silentSeconds: 900, intervalSeconds: 500 },
      250,
    ],
    ['300 s idle, also near a target', { silentSeconds: 601, nearTarget: true }, 300],
    ['900 s after a silent day', { silentSeconds: 86_401 }, 900],
    ['a logger: half its interval', { isLogger: true, intervalSeconds: 300 }, 150],
    ['a logger: not under 60 s', { isLogger: true, intervalSeconds: 30 }, 60],
    ['a logger: not over 900 s', { isLogger: true, intervalSeconds: 7200, silentSeconds: 86_401 }, 900],
    ['a logger of unknown interval: 900 s', { isLogger: true }, 900],
  ];
  for (const [name, activity, expected] of table)
    it(name, () => {
      expect(seconds(activity)).to.equal(expected);
    });

  it('goes by the busiest device, and by 300 s without any', () => {
    expect(seconds({ silentSeconds: 86_401 }, { intervalSeconds: 100 }, { isLogger: true })).to.equal(50);
    expect(seconds()).to.equal(300);
  });
  it('varies by a tenth, within the bounds', () => {
    const of = (random: number) =>
      nextPollSeconds([device({ intervalSeconds: 200 })], { ...BOUNDS, random: () => random });
    expect([of(0), of(1)].map(Math.round)).to.deep.equal([90, 110]);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.option(fc.integer({ min: 1, max: 100_000 })),
        fc.option(fc.integer({ min: 0, max: 1_000_000 })),
        fc.boolean(),
        fc.boolean(),
        (random, intervalSeconds, silentSeconds, isLogger, nearTarget) => {
          const of = { intervalSeconds, silentSeconds, isLogger, nearTarget };
          const next = nextPollSeconds([of], { minSeconds: 40, maxSeconds: 250, random: () => random });
          return next >= 40 && next <= 250;
        },
      ),
    );
  });
  it('backs off from the minimum, doubling to the maximum, anywhere below', () => {
    const most = [1, 2, 3, 6, 500].map((failed) => backOffSeconds(failed, { ...BOUNDS, random: () => 1 }));
    expect(most).to.deep.equal([30, 60, 120, 900, 900]);
    expect(backOffSeconds(3, { ...BOUNDS, random: () => 0.5 })).to.equal(60);
    expect(backOffSeconds(3, { ...BOUNDS, random: () => 0 })).to.equal(1);
  });
});

describe('after a failed poll', () => {
  const account: LeasedAccount = {
    id: 1,
    publicId: 'p',
    userId: 1,
    provider: 'thermoworks',
    uid: 'u',
    accountId: 'a',
    status: 'active',
    failedPolls: 2,
    cloudReadAt: null,
    sweptAt: null,
    userReadAt: null,
  };
  const result = (error: unknown, random = 1) =>
    afterFailure(error, account, { cadence: BOUNDS, random: () => random });
  const fault = (kind: CloudFaultKind, retryAfterMs?: number) =>
    new CloudError('devices', kind, 'why', { retryAfterMs });

  const degrading: CloudFaultKind[] = [
    'unauthorized',
    'forbidden',
    'dead_credential',
    'bad_login',
    'no_account',
    'unsupported',
    'not_found',
    'rate_limited',
    'transient',
    'rejected',
  ];
  for (const kind of degrading)
    it(`${kind}: degraded, and a growing wait`, () => {
      expect(result(fault(kind))).to.deep.include({
        status: 'degraded',
        failedPolls: 3,
        nextPollInSeconds: 120,
        lastError: `devices failed: ${kind}, why`,
      });
    });
  it('provider: the account stays as it is', () => {
    expect(result(fault('provider'))).to.deep.include({
      status: 'active',
      failedPolls: 2,
      nextPollInSeconds: 120,
    });
  });
  it('our own fault: the account stays as it is, and is polled again soon', () => {
    expect(result(new Error('Connection terminated'))).to.deep.include({
      status: 'active',
      failedPolls: 2,
      nextPollInSeconds: 5,
    });
  });
  it('no key for its tokens: degraded, and a growing wait', () => {
    expect(result(new SecretError('no key with the id "old"'))).to.deep.include({
      status: 'degraded',
      failedPolls: 3,
      nextPollInSeconds: 120,
    });
  });
  it('aborted since we close: the account stays as it is, for others to poll', () => {
    expect(result(new CloudError('devices', 'transient', 'aborted'))).to.deep.include({
      status: 'active',
      failedPolls: 2,
      nextPollInSeconds: 5,
    });
  });
  it('never before the cloud allows it, also beyond the maximum', () => {
    expect(result(fault('rate_limited', 3_600_000), 0).nextPollInSeconds).to.equal(3600);
    expect(result(fault('transient', 40_000), 0).nextPollInSeconds).to.equal(40);
    expect(result(fault('provider', 40_000), 0).nextPollInSeconds).to.equal(40);
  });
  it('later by up to half of what the cloud asks for', () => {
    expect(result(fault('rate_limited', 600_000), 1).nextPollInSeconds).to.equal(900);
    expect(result(fault('rate_limited', 600_000), 0.5).nextPollInSeconds).to.equal(750);
  });
  it('reads the user again where the cloud refused the device list', () => {
    expect(result(fault('forbidden')).userReadAt).to.equal(READ_USER_AGAIN);
    expect(result(fault('transient')).userReadAt).to.equal(undefined);
  });
});
