import { expect } from 'chai';
import { type Home, type Kitchen, openHome, openKitchen, storedRows } from './kitchen.js';

describe('poll: failures', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: number;

  before(async () => {
    home = await openHome();
  });
  beforeEach(async () => {
    kitchen = await openKitchen(home, { accounts: 2 });
    ({ account } = await kitchen.link());
  });
  afterEach(() => kitchen.close());
  after(() => home.close());

  const failed = async () => {
    const { error } = await kitchen.poll(account);
    expect(error).to.be.instanceOf(Error);
    return kitchen.accountRow(account);
  };
  const recovers = async () => {
    await kitchen.noFaults();
    expect((await kitchen.poll(account)).error).to.equal(undefined);
    expect(await kitchen.accountRow(account)).to.include({
      status: 'active',
      failed_polls: 0,
      last_error: null,
    });
    expect(await storedRows(kitchen.dataSource)).to.deep.equal(kitchen.served());
  };
  const KEY_FAULT = { status: 400, message: 'API key not valid. Please pass a valid API key.' };
  const REFERER_FAULT = { status: 403, message: 'Requests from referer <empty> are blocked.' };

  for (const [name, fault, reason] of [
    ['503', { status: 503 }, 'UNAVAILABLE'],
    ['a dropped connection', { drop: true }, 'network'],
    ['half a body', { cut: true }, 'network'],
    ['HTML', { html: true }, 'not_json'],
    [
      '403 on everything',
      { status: 403, message: 'Missing or insufficient permissions.' },
      'PERMISSION_DENIED',
    ],
  ] as const)
    it(`${name}: degraded from the first one, and active with the next good poll`, async () => {
      await kitchen.fault({ route: 'query', ...fault });
      expect(await failed()).to.include({ status: 'degraded', failed_polls: 1 });
      const row = await failed();
      expect(row).to.include({ status: 'degraded', failed_polls: 2 });
      expect(row.last_error).to.match(
        new RegExp(`^devices failed: (transient|forbidden), (${reason}|breaker_open)$`),
      );
      expect(row.next_in).to.be.greaterThan(0);
      await kitchen.noFaults();
      if (name === '403 on everything') {
        expect((await kitchen.poll(account)).counts).to.include({ user: 1, devices: 1 });
      }
    });

  it('no accountId: degraded, and well when there is one again', async () => {
    await kitchen.fault({ account: kitchen.cloud.account().email, patch: { accountId: null } });
    await kitchen.dataSource.query('UPDATE thermoworks_credentials SET account_id = NULL');
    expect(await failed()).to.include({
      status: 'degraded',
      last_error: 'user failed: no_account, no_account',
    });
    await recovers();
  });

  for (const [name, route, fault] of [
    ['API key', 'query', KEY_FAULT],
    ['API key at the refresh', 'token', KEY_FAULT],
    ['referer at the refresh', 'token', REFERER_FAULT],
  ] as const)
    it(`a fault of the whole provider changes no account: ${name}`, async () => {
      await kitchen.fault({ route, ...fault });
      await kitchen.dataSource.query('UPDATE thermoworks_credentials SET expires_at = now()');
      const other = await kitchen.link(1, 'other@here.test').catch(() => undefined);
      expect(other === undefined).to.equal(route === 'token');
      expect(await failed()).to.include({ status: 'active', failed_polls: 0 });
      // The breaker is open now.
      expect(await failed()).to.include({ status: 'active', failed_polls: 0 });
      expect(kitchen.requests()).to.equal(0);
    });

  it('waits for as long as the cloud asks for, also beyond the longest interval', async () => {
    await kitchen.fault({ route: 'query', status: 429, retry_after: 3000 });
    const row = await failed();
    expect(row).to.include({ status: 'degraded' });
    expect(row.next_in).to.be.within(2990, 3000 * 1.5);
  });

  it('never counts our own database or queue against the account', async () => {
    for (const broken of ['ENQUEUE', 'NEAR']) {
      if (broken === 'ENQUEUE') kitchen.queue.fate = 'broken';
      else await kitchen.dataSource.query('ALTER TABLE temperature_alerts RENAME TO gone');
      expect(await failed()).to.include({ status: 'active', failed_polls: 0 });
      expect((await kitchen.accountRow(account)).next_in).to.be.within(0, 5);
      kitchen.queue.fate = 'ingested';
    }
    await kitchen.dataSource.query('ALTER TABLE gone RENAME TO temperature_alerts');
    await recovers();
  });

  it('keeps an account paused that was paused while it was polled', async () => {
    await kitchen.fault({ route: 'query', delay_ms: 200 });
    const poll = kitchen.poll(account);
    await kitchen.dataSource.query("UPDATE thermoworks_credentials SET status = 'paused'");
    await poll;
    expect(await kitchen.accountRow(account)).to.include({ status: 'paused' });
  });
});
