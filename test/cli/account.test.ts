import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { at, type CommandLine, countRows, ingestWaiting, items, openCommandLine } from './command-line.js';

describe('grill-stats account', () => {
  let cli: CommandLine;
  before(async () => {
    cli = await openCommandLine();
    for (const email of ['a@example.com', 'b@example.com'])
      await cli.json(['user', 'create', '--email', email]);
  });
  after(() => cli.close());

  const cloud = (index: number) => cli.simulator.accounts[index] ?? expect.fail(`no account ${index}`);
  const link = (email: string, token: string, ...more: string[]) =>
    cli.run(['account', 'link', '--email', email, '--refresh-token-stdin', ...more], { stdin: `${token}\n` });

  it('refuses an unknown e-mail and a wrong token, and stores nothing', async () => {
    const unknown = await link('nobody@example.com', cloud(0).refresh_token);
    expect([unknown.code, unknown.stderr]).to.deep.equal([
      1,
      'grill-stats: no user with the e-mail nobody@example.com: user list shows those there are\n',
    ]);
    const wrong = await link('a@example.com', 'wrong-token');
    expect(wrong.code).to.equal(1);
    expect(wrong.stderr)
      .to.match(/refuses this refresh token/)
      .and.to.not.include('wrong-token');
    expect(wrong.stderr.trim().split('\n')).to.have.length(1);
    expect(await countRows(cli.dataSource, 'thermoworks_credentials')).to.equal(0);
  });

  it('links by refresh token, encrypted, and takes preferences that were never set', async () => {
    const { code, stdout } = await link('a@example.com', cloud(0).refresh_token, '--json');
    expect(code).to.equal(0);
    const account: unknown = JSON.parse(stdout);
    expect(account).to.include({ email: 'a@example.com', provider: 'thermoworks', status: 'active' });
    expect(at(account, 'thermoworks_uid')).to.equal(cloud(0).uid);
    const [stored] = await cli.dataSource.query('SELECT * FROM thermoworks_credentials');
    for (const text of [stdout, JSON.stringify(stored)]) expect(text).to.not.include(cloud(0).refresh_token);
    expect(stdout).to.not.match(/_token/);
    const [user] = await cli.dataSource.query<{ time_zone: string | null }[]>(
      "SELECT time_zone FROM users WHERE email = 'a@example.com'",
    );
    expect(user?.time_zone).to.be.a('string');
  });

  it('links by password, once', async () => {
    const signIn = [
      'account',
      'link',
      '--email',
      'b@example.com',
      '--thermoworks-email',
      cloud(1).email,
      '--password-stdin',
    ];
    const wrong = await cli.run(signIn, { stdin: 'wrong' });
    expect([wrong.code, wrong.stderr.includes('does not know this e-mail')]).to.deep.equal([1, true]);
    await cli.json(signIn, { stdin: cloud(1).password });
    const emails = items(await cli.json(['account', 'list'])).map((account) => at(account, 'email'));
    expect(emails).to.deep.equal(['a@example.com', 'b@example.com']);
  });

  it('replaces the token of the same cloud user, and refuses another one until unlinked', async () => {
    expect((await link('b@example.com', cloud(1).refresh_token)).code).to.equal(0);
    const other = await link('b@example.com', cloud(0).refresh_token);
    expect([other.code, other.stderr.includes('unlink it first')]).to.deep.equal([1, true]);
    await cli.json(['account', 'unlink', '--email', 'b@example.com']);
    expect(items(await cli.json(['account', 'list', '--email', 'b@example.com']))).to.deep.equal([]);
  });

  it('polls now and shows what was enqueued, which a second poll does not repeat once stored', async () => {
    const first = await cli.json(['account', 'poll', '--email', 'a@example.com']);
    const enqueued = items(at(first, 'enqueued'));
    expect(enqueued.length).to.be.greaterThan(3);
    expect(Object.keys(Object(enqueued[0]))).to.include.members(['device_id', 'probe_id', 'readings']);
    const readings = enqueued.reduce<number>((sum, probe) => sum + Number(at(probe, 'readings')), 0);
    await ingestWaiting(cli);
    expect(await countRows(cli.dataSource, 'readings')).to.equal(readings);
    const again = items(at(await cli.json(['account', 'poll', '--email', 'a@example.com']), 'enqueued'));
    expect(again.length).to.be.lessThan(enqueued.length);
    expect(await countRows(cli.dataSource, 'thermoworks_credentials WHERE lease_owner IS NOT NULL')).to.equal(
      0,
    );
  });

  it('says in one line why a poll failed, and what is to be done', async () => {
    await fetch(`${cli.simulator.url}/_control/faults`, {
      method: 'POST',
      body: JSON.stringify({ account: cloud(0).email, set: 'revoked' }),
    });
    await cli.dataSource.query("UPDATE thermoworks_credentials SET expires_at = now() - interval '1 minute'");
    const { code, stdout, stderr } = await cli.run(['account', 'poll', '--email', 'a@example.com']);
    await fetch(`${cli.simulator.url}/_control/faults`, { method: 'DELETE' });
    expect({ code, stdout, lines: stderr.trim().split('\n').length }).to.deep.equal({
      code: 1,
      stdout: '',
      lines: 1,
    });
    expect(stderr).to.match(/link with the new one/);
    expect(at(await cli.json(['account', 'list']), '0.status')).to.equal('needs_reauth');
    expect((await cli.run(['account', 'resume', '--email', 'a@example.com'])).code).to.equal(1);
    expect((await link('a@example.com', cloud(0).refresh_token)).code).to.equal(0);
  });

  it('pauses and resumes', async () => {
    expect(at(await cli.json(['account', 'pause', '--email', 'a@example.com']), 'status')).to.equal('paused');
    expect(at(await cli.json(['account', 'resume', '--email', 'a@example.com']), 'status')).to.equal(
      'active',
    );
  });

  it('reaches provider simulator only while `up` says where it is, and leaves the demo for a real account', async () => {
    const token = cloud(1).refresh_token;
    await cli.json(['user', 'create', '--email', 'demo@localhost']);
    const missing = await link('demo@localhost', token, '--provider', 'simulator');
    expect([missing.code, missing.stderr]).to.deep.equal([
      1,
      'grill-stats: provider simulator is only there while `grill-stats up` runs\n',
    ]);
    writeFileSync(join(cli.dataDir, 'simulator-url'), `${cli.simulator.url}\n`);
    expect((await link('demo@localhost', token, '--provider', 'simulator')).code).to.equal(0);
    await cli.json(['account', 'poll', '--email', 'demo@localhost']);
    expect((await link('a@example.com', cloud(0).refresh_token)).code).to.equal(0);
    expect(at(await cli.json(['account', 'list', '--email', 'demo@localhost']), '0.status')).to.equal(
      'paused',
    );
  });
});
