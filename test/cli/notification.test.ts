import { expect } from 'chai';
import { v7 } from 'uuid';
import { createIngest } from '../../src/ingest/ingest.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { addAlert, addHome, job, MINUTE, T0 } from '../ingest/household.js';
import { CHAT_SERVICES, hold } from '../notifications/chat-services.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { at, type CommandLine, items, openCommandLine } from './command-line.js';

describe('grill-stats notification', () => {
  let cli: CommandLine;
  let receiver: Receiver;
  const allowed = { env: { ALLOW_PRIVATE_WEBHOOKS: 'true' } };

  before(async () => {
    cli = await openCommandLine();
    receiver = await startReceiver();
    for (const email of ['a@example.com', 'b@example.com'])
      await cli.json(['user', 'create', '--email', email]);
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.answer = (response) => response.writeHead(204).end();
  });
  afterEach(() => cli.dataSource.query('DELETE FROM notification_channels'));
  after(async () => {
    await receiver.close();
    await cli.close();
  });

  const create = async (email = 'a@example.com') => {
    const given = ['channel', 'create', '--email', email, '--kind', 'webhook', '--url', `${receiver.url}/in`];
    return String(at(await cli.json(given, allowed), 'id'));
  };
  const idsOf = async (...options: string[]) =>
    items(await cli.json(['notification', 'list', ...options])).map((row) => at(row, 'id'));

  it('lists what was sent, of one user or all, in one state, so many', async () => {
    const first = String(at(await cli.json(['channel', 'test', await create()], allowed), 'id'));
    const second = String(
      at(await cli.json(['channel', 'test', await create('b@example.com')], allowed), 'id'),
    );
    expect(await idsOf()).to.deep.equal([second, first]);
    expect(await idsOf('--email', 'a@example.com')).to.deep.equal([first]);
    expect(await idsOf('--limit', '1')).to.deep.equal([second]);
    expect(await idsOf('--status', 'failed')).to.deep.equal([]);
    const { stdout } = await cli.run(['notification', 'list', '--email', 'b@example.com']);
    expect(stdout).to.match(
      /^id +created_at +subject +alert +device_id +probe_id +kind +status +attempts +delivered_at +held_until +last_error\n/,
    );
    expect(stdout).to.match(new RegExp(`\\n${second} .* channel\\.test +- +- +- +webhook +delivered +1 +20`));
    expect((await cli.run(['notification', 'list', '--email', 'nobody@example.com'])).code).to.equal(1);
    for (const wrong of [
      ['--status', 'lost'],
      ['--limit', '0'],
    ])
      expect((await cli.run(['notification', 'list', ...wrong])).code, wrong.join(' ')).to.equal(2);
  });

  it('sends an alert again with the links that it had', async () => {
    const [{ id: userId } = { id: 0 }] = await cli.dataSource.query<{ id: number }[]>(
      "SELECT id FROM users WHERE email = 'a@example.com'",
    );
    const url = `${receiver.url}/cook`;
    const given = ['channel', 'create', '--email', 'a@example.com', '--kind', 'ntfy', '--url', url];
    await cli.json(given, allowed);
    const home = await addHome(cli.dataSource, { userId });
    await addAlert(cli.dataSource, home, { type: 'range', maxTemperature: 100, holdSeconds: 0 });
    const ingest = createIngest({ dataSource: cli.dataSource });
    await ingest([job(home, [[T0, 90]])]);
    const { notificationIds } = await ingest([job(home, [[T0 + MINUTE, 120]])]);
    await cli.dataSource.query("UPDATE notifications SET status = 'expired'");
    const about = { alert: 'range above 100 °F', device_id: home.deviceId, probe_id: '1' };
    expect(items(await cli.json(['notification', 'list']))[0]).to.include(about);
    const { stdout } = await cli.run(['notification', 'list']);
    expect(stdout).to.match(new RegExp(` alert\\.fired +range above 100 °F +${home.deviceId} +1 +ntfy `));
    expect(await cli.json(['notification', 'show', ...notificationIds])).to.include(about);
    const linked = { env: { ...allowed.env, PUBLIC_URL: 'https://grill.example.com' } };
    await cli.json(['notification', 'replay', ...notificationIds], linked);
    const { actions } = JSON.parse(receiver.received[0]?.body ?? '{}');
    expect(actions).to.have.lengthOf(2);
    expect(at(actions, '0.url')).to.match(/^https:\/\/grill\.example\.com\/actions\/[\w.-]+$/);
  });

  it('shows each attempt, and sends again what has failed, under its id', async () => {
    const channelId = await create();
    receiver.answer = (response) => response.writeHead(400).end();
    const { stdout } = await cli.run(['channel', 'test', channelId, '--json'], allowed);
    const id = String(at(JSON.parse(stdout), 'id'));
    const failed = await cli.run(['notification', 'replay', id, '--json'], allowed);
    expect(failed.code).to.equal(1);
    expect(JSON.parse(failed.stdout)).to.include({
      id,
      status: 'failed',
      outcome: 'failed',
      status_code: 400,
    });
    expect(failed.stderr).to.equal(
      'grill-stats: the notification did not arrive: the receiver answered 400\n',
    );
    receiver.answer = (response) => response.writeHead(204).end();
    const replayed = await cli.json(['notification', 'replay', id], allowed);
    expect(replayed).to.include({
      id,
      status: 'delivered',
      outcome: 'delivered',
      status_code: 204,
      error: null,
    });
    expect(at(replayed, 'last_proven_at')).to.match(/^20/);
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).to.deep.equal([id, id, id]);

    const shown = await cli.json(['notification', 'show', id]);
    expect(shown).to.include({ id, email: 'a@example.com', channel_id: channelId, status: 'delivered' });
    const tries = items(at(shown, 'attempts'));
    expect(
      tries.map((one) => [at(one, 'attempt'), at(one, 'outcome'), at(one, 'status_code')]),
    ).to.deep.equal([
      [1, 'failed', 400],
      [2, 'failed', 400],
      [3, 'delivered', 204],
    ]);
    expect(tries[0]).to.include({ error: 'the receiver answered 400', receipt: null });
    expect(at(tries[0], 'latency_ms')).to.be.a('number');
    expect(at(tries[0], 'started_at')).to.match(/^20/);
    const text = (await cli.run(['notification', 'show', id])).stdout;
    expect(text).to.match(
      /\nattempts\nattempt +started_at +latency_ms +outcome +status_code +receipt +error\n1 +20/,
    );
  });

  it('says in one line what is not there, has not ended or goes to a channel that is off', async () => {
    const channelId = await create();
    for (const command of ['show', 'replay'])
      for (const id of [v7(), channelId]) {
        const answer = await cli.run(['notification', command, id], allowed);
        expect(answer).to.deep.equal({
          code: 1,
          stdout: '',
          stderr: `grill-stats: there is no notification ${id}\n`,
        });
      }
    const id = await new NotificationManager(cli.dataSource.manager).createChannelTest(channelId);
    expect((await cli.run(['notification', 'replay', id], allowed)).stderr).to.match(
      /^grill-stats: notification \S+ is still pending: its next attempt is at 20\S+\n$/,
    );
    await cli.dataSource.query(
      "UPDATE notifications SET subject = 'account.needs_reauth', status = 'failed' WHERE id = $1",
      [id],
    );
    await cli.dataSource.query('UPDATE notification_channels SET is_active = false');
    expect((await cli.run(['notification', 'replay', id], allowed)).stderr).to.match(
      /^grill-stats: channel \S+ is switched off: .*\n$/,
    );
    expect(receiver.received).to.deep.equal([]);
  });

  for (const service of CHAT_SERVICES)
    it(`sets up ${service.kind}, proves it, and shows its secret nowhere`, async () => {
      receiver.answer = hold(service);
      const { kind, path, secret } = service;
      const url = `${receiver.url}${path}`;
      const given = ['channel', 'create', '--email', 'a@example.com', '--kind', kind, '--url'];
      const made = await cli.run([...given, url, '--secret-stdin'], { ...allowed, stdin: `${secret}\n` });
      const ways = [made];
      if (kind !== 'telegram') ways.push(await cli.run([...given, `${url}/${secret}`], allowed));
      const listed = await cli.run(['channel', 'list', '--email', 'a@example.com']);
      for (const { code, stdout, stderr } of [...ways, listed]) {
        expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
        expect(stdout).to.include(url).and.not.include(secret);
      }
      expect(listed.stdout).to.match(
        /^id +kind +url +is_active +last_delivered_at +last_proven_at +last_error\n/,
      );
      for (const row of items(await cli.json(['channel', 'list', '--email', 'a@example.com']))) {
        const tested = await cli.json(['channel', 'test', String(at(row, 'id'))], allowed);
        expect(tested).to.include({ status: 'delivered', receipt: service.receipt, error: null });
        expect(at(tested, 'last_proven_at')).to.match(/^20/);
      }
      const wrong = await cli.run([...given, `${url}/x/${secret}`], allowed);
      expect(wrong.code).to.equal(1);
      expect(wrong.stderr)
        .to.match(/^grill-stats: --(url|secret-stdin) .*\n$/)
        .and.not.include(secret);
    });
});
