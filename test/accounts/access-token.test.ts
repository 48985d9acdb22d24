import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createAccessTokens } from '../../src/accounts/access-token.js';
import { CredentialManager, type LeasedAccount } from '../../src/accounts/credential-manager.js';
import { SecretError } from '../../src/accounts/secret-box.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { createOutbound } from '../../src/notifications/outbound.js';
import { CloudError } from '../../src/thermoworks/cloud-error.js';
import type { Tokens } from '../../src/thermoworks/types.js';
import { type Home, type Kitchen, openHome, openKitchen } from '../poller/kitchen.js';
import { clientOf, linkAccount, openDatabase, secretBox } from '../poller/parts.js';

describe('access tokens', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: LeasedAccount;
  let sources: DataSource[];

  before(async () => {
    home = await openHome();
    sources = await Promise.all(Array.from({ length: 8 }, () => openDatabase(home.url)));
  });
  beforeEach(async () => {
    kitchen = await openKitchen(home, { accounts: 2 });
    account = await leased((await kitchen.link()).account);
  });
  afterEach(() => kitchen.close());
  after(async () => {
    for (const dataSource of sources) await dataSource.destroy();
    await home.close();
  });

  async function leased(id: number): Promise<LeasedAccount> {
    const found = await new CredentialManager(home.dataSource.manager).leaseOne(randomUUID(), id);
    if (!found) throw new Error(`no account ${id}`);
    return found;
  }
  const sql = (text: string, values: unknown[] = []) => home.dataSource.query(text, values);
  const row = async () =>
    (
      await sql(
        `SELECT status, token_version, access_token, refresh_token, previous_refresh_token, last_error,
           refresh_lease_until, round(extract(epoch FROM expires_at - now()))::float8 AS seconds_left
         FROM thermoworks_credentials WHERE id = $1`,
        [account.id],
      )
    )[0];
  const expireIn = (seconds: number) =>
    sql('UPDATE thermoworks_credentials SET expires_at = now() + make_interval(secs => $1)', [seconds]);
  const refreshes = async () => {
    const { json } = await kitchen.cloud.request('/_control/requests');
    return Number(Reflect.get(Object(Reflect.get(Object(json), 'counts')), 'token') ?? 0);
  };
  const forget = () => kitchen.cloud.request('/_control/requests', { method: 'DELETE' });
  const outcomes: string[] = [];
  const dead: number[] = [];
  const committed: number[] = [];

  /** As each process has it; `refresh` in place of the cloud where given. */
  function tokensOf(
    dataSource = home.dataSource,
    refresh: (refreshToken: string, withinMs: number) => Promise<Tokens> = (...asked) =>
      kitchen.client.refresh(...asked),
  ) {
    outcomes.length = 0;
    dead.length = 0;
    committed.length = 0;
    return createAccessTokens({
      dataSource,
      box: secretBox,
      refresh: (_, ...asked) => refresh(...asked),
      onDead: async (_, { id }) => {
        dead.push(id);
        return () => committed.push(id);
      },
      onRefresh: (outcome) => outcomes.push(outcome),
      jitter: () => 0.5,
    });
  }
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => error,
    );
  const refusal = (reason: string) => new CloudError('refresh', 'dead_credential', reason);
  const open = (sealed: string, column = 'refresh_token', user = account.userId) =>
    secretBox.open(sealed, `thermoworks_credentials.${column}.${user}`);

  it('are used while they are fresh, and refreshed five minutes before their end', async () => {
    const tokens = tokensOf();
    await forget();
    await expireIn(301);
    const first = await tokens(account);
    expect([await tokens(account), await refreshes()]).to.deep.equal([first, 0]);
    await expireIn(299);
    await tokens(account);
    expect([await refreshes(), outcomes]).to.deep.equal([1, ['refreshed']]);
    expect((await row()).seconds_left).to.be.within(3500, 3600);
    await tokens(account);
    expect(await refreshes()).to.equal(1);
  });

  it('are refreshed where the cloud refused one, but not for somebody who had an older one', async () => {
    const tokens = tokensOf();
    const first = await tokens(account);
    await forget();
    kitchen.pass(5);
    const second = await tokens(account, first);
    expect(second).to.not.equal(first);
    expect(await tokens(account, first)).to.equal(second);
    expect(await refreshes()).to.equal(1);
  });

  it('are stored, with the rotated refresh token, before they are given out', async () => {
    await kitchen.fault({ account: kitchen.cloud.account().email, set: 'rotate_strict' });
    await expireIn(0);
    const before = await row();
    const token = await tokensOf()(account);
    const after = await row();
    expect(open(after.access_token, 'access_token')).to.equal(token);
    expect(open(after.refresh_token)).to.equal(`${kitchen.cloud.account().refresh_token}.1`);
    expect(after).to.include({
      previous_refresh_token: before.refresh_token,
      token_version: before.token_version + 1,
      refresh_lease_until: null,
    });
  });

  it('are not given out when they could not be stored', async () => {
    await expireIn(0);
    const refresh = async (refreshToken: string) => {
      const answer = await kitchen.client.refresh(refreshToken);
      await sql('ALTER TABLE thermoworks_credentials RENAME COLUMN previous_refresh_token TO gone');
      return answer;
    };
    const failed = await failure(tokensOf(home.dataSource, refresh)(account));
    await sql('ALTER TABLE thermoworks_credentials RENAME COLUMN gone TO previous_refresh_token');
    expect(String(failed)).to.include('previous_refresh_token');
    expect((await row()).status).to.equal('active');
  });

  it('are stored although the connection is lost at that moment', async () => {
    await kitchen.fault({ account: kitchen.cloud.account().email, set: 'rotate_strict' });
    await expireIn(0);
    const [source = home.dataSource] = sources;
    let cuts = 0;
    const refresh = async (refreshToken: string) => {
      const answer = await kitchen.client.refresh(refreshToken);
      cuts += 1;
      const runner = home.dataSource.createQueryRunner();
      await runner.startTransaction();
      await runner.query('LOCK TABLE thermoworks_credentials');
      const blocked = `SELECT count(pg_terminate_backend(pid))::integer AS n FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      const cut = async () => {
        for (let done = 0; done === 0; ) done = (await sql(blocked))[0].n;
        await runner.rollbackTransaction();
        await runner.release();
      };
      void cut();
      return answer;
    };
    const token = await tokensOf(source, refresh)(account);
    expect(cuts).to.equal(1);
    expect(open((await row()).access_token, 'access_token')).to.equal(token);
    expect(open((await row()).refresh_token)).to.match(/\.1$/);
  });

  it('cost one refresh for eight who want one at the same time, expiry after expiry, and none is lost', async () => {
    await kitchen.fault({ account: kitchen.cloud.account().email, set: 'rotate_strict' });
    const all = sources.map((dataSource) => tokensOf(dataSource));
    for (let round = 1; round <= 20; round += 1) {
      kitchen.pass(1);
      await expireIn(0);
      await forget();
      const given = await Promise.all(all.map((tokens) => tokens(account)));
      expect(new Set(given).size, `round ${round}`).to.equal(1);
      expect(await refreshes()).to.equal(1);
      expect(open((await row()).refresh_token)).to.match(new RegExp(`\\.${round}$`));
    }
    expect((await row()).status).to.equal('active');
    expect(dead).to.deep.equal([]);
  });

  it('cost one refresh also where they live shorter than they are refreshed ahead', async () => {
    const { email } = kitchen.cloud.account();
    await kitchen.fault({ account: email, set: 'token_lifetime', seconds: 60 });
    await kitchen.fault({ route: 'token', delay_ms: 150 });
    await expireIn(0);
    await forget();
    await Promise.all(sources.map((dataSource) => tokensOf(dataSource)(account)));
    expect(await refreshes()).to.equal(1);
  });

  for (const reason of [
    'TOKEN_EXPIRED',
    'USER_DISABLED',
    'USER_NOT_FOUND',
    'INVALID_REFRESH_TOKEN',
    'PROJECT_NUMBER_MISMATCH',
  ])
    it(`end with ${reason}: needs_reauth, once, for all who wanted one`, async () => {
      const { email } = kitchen.cloud.account();
      await kitchen.fault({ account: email, set: 'revoked', message: reason });
      await expireIn(0);
      const all = sources.map((dataSource) => tokensOf(dataSource));
      const errors = await Promise.all(all.map((tokens) => failure(tokens(account))));
      for (const error of errors) expect(error).to.include({ kind: 'dead_credential', reason });
      expect([dead, committed]).to.deep.equal([[account.id], [account.id]]);
      expect(await row()).to.include({ status: 'needs_reauth', last_error: reason });
    });

  for (const [name, fault, kind] of [
    ['API key', { status: 400, message: 'API key not valid. Please pass a valid API key.' }, 'provider'],
    ['referer', { status: 403, message: 'Requests from referer <empty> are blocked.' }, 'provider'],
    ['our own request', { status: 400, message: 'INVALID_GRANT_TYPE' }, 'rejected'],
    ['an outage', { status: 503 }, 'transient'],
    ['an unknown answer', { status: 400, html: true }, 'transient'],
    ['too many', { status: 429 }, 'rate_limited'],
  ] as const)
    it(`do not end with a fault of ${name}, and are there when it is over`, async () => {
      await expireIn(0);
      const before = await row();
      await kitchen.fault({ route: 'token', ...fault });
      expect(await failure(tokensOf()(account))).to.include({ kind });
      expect(await row()).to.include({ ...before, seconds_left: (await row()).seconds_left });
      expect([outcomes, dead]).to.deep.equal([['failed'], []]);
      await kitchen.noFaults();
      const other = clientOf(kitchen.cloud.simulator.url);
      await tokensOf(home.dataSource, (token) => other.refresh(token))(account);
      other.close();
    });

  it('come from the token before, asked once, where the present one never took effect', async () => {
    await expireIn(0);
    const asked: string[] = [];
    const real = kitchen.cloud.account().refresh_token;
    await sql(
      'UPDATE thermoworks_credentials SET previous_refresh_token = refresh_token, refresh_token = $1',
      [secretBox.seal('lost', `thermoworks_credentials.refresh_token.${account.userId}`)],
    );
    const tokens = tokensOf(home.dataSource, (refreshToken) => {
      asked.push(refreshToken);
      return kitchen.client.refresh(refreshToken);
    });
    await tokens(account);
    expect(asked).to.deep.equal(['lost', real]);
    expect(open((await row()).refresh_token)).to.equal(real);
    await kitchen.fault({ account: kitchen.cloud.account().email, set: 'revoked' });
    await expireIn(0);
    asked.length = 0;
    await failure(tokens(account));
    expect(asked).to.deep.equal([real, 'lost']);
    expect(dead).to.deep.equal([account.id]);
  });

  it('are asked for, with the present token and the one before, within the lease and no longer', async () => {
    await expireIn(0);
    await sql('UPDATE thermoworks_credentials SET previous_refresh_token = refresh_token');
    const within: number[] = [];
    const spare: number[] = [];
    const refresh = async (_: string, withinMs: number) => {
      const askUntil = performance.now() + withinMs;
      const [{ left }] = await sql(
        'SELECT extract(epoch FROM refresh_lease_until - clock_timestamp())::float8 * 1000 AS left FROM thermoworks_credentials',
      );
      within.push(withinMs);
      spare.push(left - (askUntil - performance.now()));
      await kitchen.client.refresh('none', withinMs).catch(() => undefined);
      throw refusal('TOKEN_EXPIRED');
    };
    await kitchen.fault({ route: 'token', delay_ms: 100 });
    expect(await failure(tokensOf(home.dataSource, refresh)(account))).to.include({
      kind: 'dead_credential',
    });
    expect((within[0] ?? 0) - (within[1] ?? 0)).to.be.at.least(90);
    // What is left of the lease when the cloud may answer no more: time to store.
    for (const left of spare) expect(left).to.be.at.least(4_900);
  });

  it('are waited for no longer than there is time', async () => {
    const real = kitchen.cloud.account().refresh_token;
    await kitchen.fault({ route: 'token', delay_ms: 600_000 });
    expect(await failure(kitchen.client.refresh(real, 200))).to.include({
      kind: 'transient',
      reason: 'timeout',
    });
  });

  it('that could be stored at last are those of the account, whoever was refused the old ones meanwhile', async () => {
    await expireIn(0);
    const refresh = async (refreshToken: string) => {
      const answer = await kitchen.client.refresh(refreshToken);
      await sql("UPDATE thermoworks_credentials SET status = 'needs_reauth', refresh_lease_until = NULL");
      return answer;
    };
    await tokensOf(home.dataSource, refresh)(account);
    expect(await row()).to.include({ status: 'active' });
  });

  it('of another user are neither stored nor the end of the account', async () => {
    await expireIn(0);
    const before = await row();
    const strange = await kitchen.client.refresh(kitchen.cloud.account(1).refresh_token);
    const error = await failure(tokensOf(home.dataSource, async () => strange)(account));
    expect(error).to.include({ kind: 'rejected' });
    expect(await row()).to.deep.include({ status: 'active', token_version: before.token_version });
    expect(dead).to.deep.equal([]);
  });

  it('are those of a new link that was made while the cloud refused the old ones', async () => {
    await expireIn(0);
    let renewed = false;
    const refresh = async () => {
      if (!renewed) await kitchen.link();
      renewed = true;
      throw refusal('TOKEN_EXPIRED');
    };
    const token = await tokensOf(home.dataSource, refresh)(account);
    expect(open((await row()).access_token, 'access_token')).to.equal(token);
    expect([(await row()).status, dead, outcomes]).to.deep.equal(['active', [], []]);
  });

  it('are there again after a process died in the middle of a refresh', async () => {
    await expireIn(0);
    await sql(`UPDATE thermoworks_credentials SET refresh_lease_until = now() + interval '700 milliseconds'`);
    const token = await tokensOf()(account);
    expect(open((await row()).access_token, 'access_token')).to.equal(token);
  });

  it('are bound to their row: those of another account do not open', async () => {
    const other = await kitchen.link(1, 'other@here.test');
    const text = JSON.stringify(await sql('SELECT * FROM thermoworks_credentials'));
    for (const { refresh_token } of kitchen.cloud.simulator.accounts)
      expect(text).to.not.include(refresh_token);
    await sql(
      `UPDATE thermoworks_credentials c SET access_token = o.access_token, refresh_token = o.refresh_token
       FROM thermoworks_credentials o WHERE c.id = $1 AND o.id = $2`,
      [account.id, other.account],
    );
    expect(await failure(tokensOf()(account))).to.be.instanceOf(SecretError);
    expect((await row()).status).to.equal('active');
  });

  it('that are dead stop the polls, with one notification per active channel', async () => {
    const channels = new ChannelManager(home.dataSource.manager, {
      channels: CHANNELS,
      secretBox,
      outbound: createOutbound({ allowPrivate: true }),
    });
    for (const path of ['a', 'b', 'c'])
      await channels.create({
        userId: account.userId,
        kind: 'webhook',
        url: `http://127.0.0.1:9/${path}`,
        secret: null,
      });
    await sql(
      'UPDATE notification_channels SET is_active = false WHERE id = (SELECT max(id) FROM notification_channels)',
    );
    await sql('UPDATE thermoworks_credentials SET lease_owner = NULL, lease_until = NULL');
    await kitchen.fault({ account: kitchen.cloud.account().email, set: 'revoked' });
    await expireIn(0);
    for (const _ of [1, 2])
      expect((await kitchen.poll(account.id)).error).to.include({ kind: 'dead_credential' });
    expect(await row()).to.include({ status: 'needs_reauth' });
    expect(await sql('SELECT subject, status FROM notifications')).to.deep.equal([
      { subject: 'account.needs_reauth', status: 'pending' },
      { subject: 'account.needs_reauth', status: 'pending' },
    ]);
    const due = await new CredentialManager(home.dataSource.manager).leaseDue(randomUUID(), 10);
    expect(due).to.deep.equal([]);
  });

  it('of a new link replace the old ones; another cloud user is refused until the unlinking', async () => {
    const before = await row();
    await kitchen.link();
    expect((await row()).token_version).to.equal(before.token_version + 1);
    const other = { email: 'cook1@here.test', refreshToken: kitchen.cloud.account(1).refresh_token };
    expect(String(await failure(linkAccount(home.dataSource, kitchen.client, other)))).to.include(
      'unlink it first',
    );
  });
});
