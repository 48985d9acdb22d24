import { createServer, type Server } from 'node:http';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { listen, startBroker } from '../notifications/broker.js';
import { startMailServer } from '../notifications/mail-server.js';
import { at, type CommandLine, openCommandLine } from './command-line.js';

describe('grill-stats channel', () => {
  let cli: CommandLine;
  let receiver: Server;
  let url: string;
  let answer = 204;
  const received: { headers: Record<string, string>; body: string }[] = [];
  const allowed = { env: { ALLOW_PRIVATE_WEBHOOKS: 'true' } };

  before(async () => {
    cli = await openCommandLine();
    await cli.json(['user', 'create', '--email', 'a@example.com']);
    receiver = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
      received.push({ headers: Object.fromEntries(headers), body });
      response.writeHead(answer).end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${at(receiver.address(), 'port')}/hook`;
  });
  after(async () => {
    receiver.close();
    await cli.close();
  });
  const create = ['channel', 'create', '--email', 'a@example.com', '--kind', 'webhook'];

  it('refuses a private address unless it is allowed', async () => {
    const { code, stderr } = await cli.run([...create, '--url', url]);
    expect(code).to.equal(1);
    expect(stderr).to.match(/^grill-stats: --url /);
    expect(await cli.json(['channel', 'list', '--email', 'a@example.com'])).to.deep.equal([]);
  });

  it('makes a secret, shows it once, and delivers a test that it signs', async () => {
    const channel = await cli.json([...create, '--url', url], allowed);
    const [id, secret] = [String(at(channel, 'id')), String(at(channel, 'secret'))];
    const tested = await cli.json(['channel', 'test', id], allowed);
    expect(tested).to.include({ status: 'delivered', outcome: 'delivered', status_code: 204 });
    const [message] = received.splice(0);
    expect(new Webhook(secret).verify(message?.body ?? '', message?.headers ?? {})).to.include({
      type: 'channel.test',
    });
    const listed = await cli.json(['channel', 'list', '--email', 'a@example.com']);
    expect(at(listed, '0.last_proven_at')).to.be.a('string');
    expect(JSON.stringify(listed)).to.not.include(secret);
    await cli.json(['channel', 'delete', id]);
    expect((await cli.run(['channel', 'test', id], allowed)).code).to.equal(1);
  });

  it('exits 1 and shows the outcome of a test that did not arrive', async () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    const given = await cli.json([...create, '--url', url, '--secret-stdin'], { ...allowed, stdin: secret });
    expect(at(given, 'secret')).to.equal(undefined);
    answer = 500;
    const { code, stdout, stderr } = await cli.run(
      ['channel', 'test', String(at(given, 'id')), '--json'],
      allowed,
    );
    expect(code).to.equal(1);
    expect(JSON.parse(stdout)).to.include({ status: 'pending', outcome: 'failed', status_code: 500 });
    expect(stderr).to.match(/^grill-stats: the test did not arrive: .*500.*\n$/);
  });

  it('switches off what is gone and says so, but not what this shell alone may not reach', async () => {
    const [id] = [String(at(await cli.json([...create, '--url', url], allowed), 'id'))];
    const isActive = async () => {
      const [row] = await cli.dataSource.query<{ is_active: boolean }[]>(
        'SELECT is_active FROM notification_channels WHERE public_id = $1',
        [id],
      );
      return row?.is_active;
    };
    const refused = await cli.run(['channel', 'test', id]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr)
      .to.match(/private address/)
      .and.not.match(/switched off/);
    expect(await isActive()).to.equal(true);
    answer = 410;
    const gone = await cli.run(['channel', 'test', id], allowed);
    answer = 204;
    expect(gone.stderr).to.match(/answered 410; the channel is switched off until a test gets through/);
    expect(await isActive()).to.equal(false);
  });

  it('sends e-mail through SMTP_URL, and names it where it is missing', async () => {
    const email = ['channel', 'create', '--email', 'a@example.com', '--kind', 'email'];
    const address = ['--url', 'mailto:cook@example.com'];
    const missing = await cli.run([...email, ...address]);
    expect(missing).to.include({ code: 1, stdout: '' });
    expect(missing.stderr).to.equal('grill-stats: --kind email needs SMTP_URL, which is not set\n');
    const server = await startMailServer();
    try {
      const env = { SMTP_URL: `smtp://127.0.0.1:${server.port}/?from=grill@example.com` };
      expect((await cli.run([...email, '--url', 'https://example.com/'], { env })).stderr).to.match(
        /^grill-stats: --url must be an e-mail address, .*\n$/,
      );
      const channel = await cli.json([...email, ...address], { env });
      expect(at(channel, 'config')).to.deep.equal({ url: 'mailto:cook@example.com' });
      const tested = await cli.json(['channel', 'test', String(at(channel, 'id'))], { env });
      expect(tested).to.include({ outcome: 'delivered', status_code: 250, receipt: '250 2.0.0 queued as 1' });
      expect(server.arrived[0]?.mail).to.include({
        subject: 'Test',
        messageId: `<${at(tested, 'id')}@example.com>`,
      });
    } finally {
      await server.close();
    }
  });

  it('publishes through MQTT_URL, leaves no connection behind, and names it where it is missing', async () => {
    const mqtt = [
      'channel',
      'create',
      '--email',
      'a@example.com',
      '--kind',
      'mqtt',
      '--url',
      'mqtt:homeassistant',
    ];
    expect((await cli.run(mqtt)).stderr).to.equal(
      'grill-stats: --kind mqtt needs MQTT_URL, which is not set\n',
    );
    const broker = await startBroker();
    const seen = await listen(broker.url);
    try {
      const env = { MQTT_URL: broker.url };
      const channel = await cli.json(mqtt, { env });
      const tested = await cli.json(['channel', 'test', String(at(channel, 'id'))], { env });
      expect(tested).to.include({ outcome: 'delivered' });
      await seen.settle();
      const event = seen.messages.find(({ topic }) => topic.endsWith('/events'));
      expect(JSON.parse(event?.payload ?? '')).to.include({ type: 'channel.test', id: at(tested, 'id') });
    } finally {
      await seen.close();
      await broker.close();
    }
  });
});
