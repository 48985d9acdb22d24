import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { CredentialManager } from '../../src/accounts/credential-manager.js';
import { UserManager } from '../../src/accounts/user-manager.js';
import { type Home, openHome } from '../poller/kitchen.js';
import { secretBox } from '../poller/parts.js';

describe('linked accounts', () => {
  let home: Home;
  let accounts: CredentialManager;

  before(async () => {
    home = await openHome();
    accounts = new CredentialManager(home.dataSource.manager);
  });
  afterEach(() => home.empty());
  after(() => home.close());

  const link = (name: string, uid = `uid-${name}`) =>
    home.dataSource.transaction(async (tx) => {
      const users = new UserManager(tx);
      const email = `${name}@here.test`;
      const user = (await users.findByEmail(email)) ?? (await users.create({ email }));
      const tokens = {
        uid,
        accessToken: `access-${name}`,
        refreshToken: `refresh-${name}`,
        expiresInSeconds: 3600,
      };
      const cloudUser = { accountId: `acc-${name}`, preferredUnit: null, timeZone: null };
      return new CredentialManager(tx).link(
        user.id,
        { provider: 'thermoworks', tokens, user: cloudUser },
        secretBox,
      );
    });
  const sql = (text: string, values: unknown[] = []) => home.dataSource.query(text, values);
  const set = (id: number, columns: string) =>
    sql(`UPDATE thermoworks_credentials SET ${columns} WHERE id = $1`, [id]);
  const dueIds = async (limit = 10) => (await accounts.leaseDue(randomUUID(), limit)).map(({ id }) => id);
  const failure = (work: Promise<unknown>) => work.then(String, (error: unknown) => String(error));
  const good = { status: 'active' as const, nextPollInSeconds: 60, failedPolls: 0, lastError: null };

  it('are due at once, and not again while somebody holds them', async () => {
    const { id } = await link('one');
    expect(await dueIds()).to.deep.equal([id]);
    expect(await dueIds()).to.deep.equal([]);
    await set(id, "lease_until = now() - interval '1 millisecond'");
    expect(await dueIds()).to.deep.equal([id]);
  });

  it('are taken in the order in which they were due, up to a limit', async () => {
    const ids = [(await link('one')).id, (await link('two')).id, (await link('three')).id];
    for (const [index, id] of ids.entries())
      await set(id, `next_poll_at = now() - interval '${index} minutes'`);
    expect(await dueIds(2)).to.have.members(ids.slice(1));
    expect(await dueIds(2)).to.deep.equal(ids.slice(0, 1));
  });

  for (const [name, change] of [
    ['not due', "UPDATE thermoworks_credentials SET next_poll_at = now() + interval '1 second'"],
    ['paused', "UPDATE thermoworks_credentials SET status = 'paused'"],
    ['refused by the cloud', "UPDATE thermoworks_credentials SET status = 'needs_reauth'"],
    ['of a deleted user', 'UPDATE users SET deleted_at = now()'],
    ['of a user who is not active', 'UPDATE users SET is_active = false'],
  ] as const)
    it(`are left alone when ${name}`, async () => {
      await link('one');
      await sql(change);
      expect(await dueIds()).to.deep.equal([]);
    });

  it('are finished by who holds them only', async () => {
    const { id } = await link('one');
    const [owner, stranger] = [randomUUID(), randomUUID()];
    await accounts.leaseDue(owner, 1);
    await accounts.finishPoll(stranger, id, { ...good, lastError: 'stranger' });
    await accounts.renewLeases(stranger, [id]);
    expect((await accounts.list())[0]).to.include({ leaseOwner: owner, lastError: null });
    await accounts.finishPoll(owner, id, { ...good, failedPolls: 3, status: 'degraded', lastError: 'x' });
    const [row] = await accounts.list();
    expect(row).to.include({
      leaseOwner: null,
      leaseUntil: null,
      failedPolls: 3,
      status: 'degraded',
      lastError: 'x',
    });
    expect(row?.nextPollAt.getTime()).to.be.greaterThan(Date.now() + 50_000);
  });

  it('stay paused, or refused, whatever a poll found', async () => {
    const { id } = await link('one');
    for (const status of ['paused', 'needs_reauth']) {
      const owner = randomUUID();
      await accounts.leaseOne(owner, id);
      await set(id, `status = '${status}'`);
      await accounts.finishPoll(owner, id, good);
      expect((await accounts.list())[0]?.status).to.equal(status);
    }
  });

  it('get well by a new link with the same cloud user, and refuse another one', async () => {
    const { id, tokenVersion, userId } = await link('one');
    await set(
      id,
      "status = 'needs_reauth', failed_polls = 4, last_error = 'TOKEN_EXPIRED', next_poll_at = 'infinity'",
    );
    expect(await failure(accounts.setPaused(userId, false))).to.include('link it again');
    expect(await link('one')).to.include({
      id,
      status: 'active',
      failedPolls: 0,
      lastError: null,
      tokenVersion: tokenVersion + 1,
    });
    expect(await dueIds()).to.deep.equal([id]);
    expect(await failure(link('one', 'somebody else'))).to.include('unlink it first');
  });

  it('are paused, resumed at once, and unlinked', async () => {
    const { id, userId } = await link('one');
    await set(id, "next_poll_at = now() + interval '1 hour'");
    await accounts.setPaused(userId, true);
    await accounts.setPaused(userId, false);
    expect(await dueIds()).to.deep.equal([id]);
    await accounts.unlink(userId);
    expect(await failure(accounts.getOfUser(userId))).to.include('no linked account');
    expect(await accounts.list()).to.deep.equal([]);
  });

  it('keep no token in the clear', async () => {
    await link('one');
    const text = JSON.stringify(await sql('SELECT * FROM thermoworks_credentials'));
    expect(text).to.not.include('refresh-one').and.not.include('access-one');
  });
});
