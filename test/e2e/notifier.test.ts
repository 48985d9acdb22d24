import { expect } from 'chai';
import { createLogger } from '../../src/logger.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { openQueues } from '../../src/queues/backend.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import { at, type CommandLine, openCommandLine, withReadings } from '../cli/command-line.js';
import { type Broker, listen, startBroker } from '../notifications/broker.js';
import { type MailServer, startMailServer } from '../notifications/mail-server.js';
import { waitFor } from '../support/wait-for.js';
import { endPrograms, startProgram } from './program.js';

const USER = 'a@example.com';

describe('grill-stats run --roles notifier', function () {
  this.timeout(120_000);
  let cli: CommandLine;
  let broker: Broker;
  let seen: Awaited<ReturnType<typeof listen>>;
  let mail: MailServer;

  before(async () => {
    cli = await openCommandLine();
    broker = await startBroker();
    seen = await listen(broker.url);
    mail = await startMailServer();
    await withReadings(cli, USER);
  });
  after(async () => {
    await endPrograms();
    await mail.close();
    await seen.close();
    await broker.close();
    await cli.close();
  });

  async function enqueue(id: string): Promise<void> {
    const logger = createLogger({ level: 'error', format: 'json' });
    const { redisUrl: url, queuePrefix } = cli;
    const { queues, close } = await openQueues({ kind: 'redis', url, queuePrefix, logger });
    await createEnqueue({ queues, logger }).notifications([id]).finally(close);
  }

  it('delivers over SMTP_URL, tells Home Assistant over MQTT_URL, and says when it goes', async () => {
    const env = {
      SMTP_URL: `smtp://127.0.0.1:${mail.port}/?from=grill@example.com`,
      MQTT_URL: broker.url,
    };
    const create = (kind: string, url: string) =>
      cli.json(['channel', 'create', '--email', USER, '--kind', kind, '--url', url], { env });
    await create('mqtt', 'mqtt:homeassistant');
    const channel = String(at(await create('email', 'mailto:cook@example.com'), 'id'));
    const program = startProgram(['run', '--roles', 'notifier'], { ...cli.env, ...env });
    const isTold = () => [...seen.state.keys()].some((topic) => topic.startsWith('homeassistant/sensor/'));
    await waitFor(() => isTold() && seen.state.get('grill-stats/status') === 'online', {
      what: 'the sensors',
    });
    const id = await new NotificationManager(cli.dataSource.manager).createChannelTest(channel);
    await enqueue(id);
    await waitFor(() => mail.arrived.length === 1, { what: 'the mail' });
    expect(mail.arrived[0]?.mail.messageId).to.equal(`<${id}@example.com>`);
    expect(await program.stop()).to.equal(0);
    await waitFor(() => seen.state.get('grill-stats/status') === 'offline', { what: 'offline' });
  });
});
