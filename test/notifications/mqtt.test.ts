import { expect } from 'chai';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { InputError } from '../../src/errors.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { createChannels } from '../../src/notifications/channels.js';
import { DeliveryError } from '../../src/notifications/delivery-error.js';
import type { Message } from '../../src/notifications/message.js';
import { createMqtt } from '../../src/notifications/mqtt.js';
import { createMqttTransport, type MqttTransport } from '../../src/notifications/mqtt-transport.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { type Broker, listen, startAedes, startBroker } from './broker.js';
import { addNotification, getNotification, outbound, secretBox, startWorld } from './world.js';

const EVIL = 'a\r\n+/#\0\u202e"{{ states }}" <script>';
const STATUS = 'grill-stats/status';
const OWNER = '0199a1c2-0000-7000-8000-000000000007';
const message: Message = {
  type: 'alert.fired',
  severity: 'warning',
  title: 'Brisket done',
  text: 'Point is 203.2 °F',
  body: { type: 'alert.fired', id: 'x', alert: { name: EVIL } },
};
const target = { url: 'mqtt:homeassistant', secret: null };

describe('mqtt', () => {
  let broker: Broker;
  let proxy: TcpProxy;
  let seen: Awaited<ReturnType<typeof listen>>;
  const transports: MqttTransport[] = [];

  before(async function () {
    this.timeout(120_000);
    broker = await startBroker();
    seen = await listen(broker.url);
    proxy = await startTcpProxy(broker.url);
  });
  beforeEach(async () => {
    await proxy.set({ kind: 'pass' });
    seen.messages.length = 0;
  });
  afterEach(() => Promise.all(transports.splice(0).map((transport) => transport.close())));
  after(async () => {
    await seen.close();
    await proxy.close();
    await broker.close();
  });

  const transportTo = (url: string, change: Partial<Parameters<typeof createMqttTransport>[0]> = {}) => {
    const transport = createMqttTransport({ url, announces: false, timeoutMs: 30_000, ...change });
    transports.push(transport);
    return transport;
  };
  const through = () => proxy.through(broker.url);
  const send = (transport: MqttTransport, said = message, signal?: AbortSignal) => {
    const channel = createMqtt(transport);
    const context = { outbound, notificationId: 'n', ownerId: OWNER, at: new Date(), signal };
    return channel.send(target, channel.render(said, target), context);
  };
  /** For a transport whose time is so short that a busy machine may miss it. */
  const untilSent = (transport: MqttTransport, said = message) =>
    waitFor(() => send(transport, said).then(() => true), { what: 'a message that gets through' });
  const failureOf = async (attempt: Promise<unknown>): Promise<DeliveryError> => {
    const error: unknown = await attempt.then(
      () => 'it was delivered',
      (reason: unknown) => reason,
    );
    if (error instanceof DeliveryError) return error;
    throw new Error('no DeliveryError', { cause: error });
  };
  const arrived = (topic: string) => seen.messages.filter((one) => one.topic === topic);

  it('publishes an event as JSON under its owner’s id, at least once, not retained', async () => {
    await send(transportTo(broker.url));
    const topic = `grill-stats/${OWNER}/events`;
    const [event] = await waitFor(() => arrived(topic).length > 0 && arrived(topic));
    expect(event).to.include({ qos: 1, retained: false });
    expect(JSON.parse(event?.payload ?? '')).to.deep.equal({
      ...message.body,
      summary: 'Brisket done: Point is 203.2 °F',
    });
    expect(seen.messages.map((one) => one.topic)).to.deep.equal([topic]);
  });

  it('signs in with what MQTT_URL holds, and names it where that is refused', async () => {
    const guarded = await startAedes({ password: true });
    try {
      const as = (user: string) => transportTo(guarded.url.replace('//', `//${user}@`));
      await send(as('cook:secret%2F%3A%40'));
      for (const user of ['cook:wrong', 'cook', 'other:secret%2F%3A%40'])
        expect(await failureOf(send(as(user)))).to.include({
          fate: 'retry',
          message: 'the MQTT broker refuses the sign-in, see MQTT_URL',
        });
    } finally {
      await Promise.all(transports.splice(0).map((transport) => transport.close()));
      await guarded.close();
    }
  });

  it('uses one connection for many at once', async () => {
    const transport = transportTo(through());
    const before_ = proxy.opened();
    await Promise.all(Array.from({ length: 20 }, () => send(transport)));
    expect(proxy.opened() - before_).to.equal(1);
    await waitFor(() => arrived(`grill-stats/${OWNER}/events`).length === 20);
  });

  it('tries again where nobody listens, and gets through when somebody does', async () => {
    const transport = transportTo(through());
    await proxy.set({ kind: 'refuse' });
    const failure = await failureOf(send(transport));
    expect(failure.fate).to.equal('retry');
    expect(failure.message).to.match(/^the MQTT broker cannot be used: .{5,}/);
    await proxy.set({ kind: 'pass' });
    await send(transport);
  });

  it('gives up a broker that says nothing: to a new connection, and to a message', async () => {
    await proxy.set({ kind: 'swallow' });
    expect((await failureOf(send(transportTo(through(), { timeoutMs: 300 })))).fate).to.equal('retry');
    await proxy.set({ kind: 'pass' });
    const transport = transportTo(through(), { timeoutMs: 1_000 });
    await untilSent(transport);
    await proxy.set({ kind: 'swallow' });
    expect((await failureOf(send(transport))).message).to.include('no answer within 1000 ms');
  });

  it('sends what failed when it is asked again, not by itself after something newer', async () => {
    const transport = transportTo(through(), { timeoutMs: 1_000 });
    await untilSent(transport);
    await proxy.set({ kind: 'swallow' });
    await failureOf(send(transport, { ...message, title: 'the old one' }));
    await proxy.set({ kind: 'pass' });
    await untilSent(transport, { ...message, title: 'the new one' });
    await waitFor(() => seen.messages.some(({ payload }) => payload.includes('the new one')));
    expect(seen.messages.filter(({ payload }) => payload.includes('the old one'))).to.deep.equal([]);
  });

  it('hears at once that the connection was lost', async () => {
    const transport = transportTo(through());
    await send(transport);
    await proxy.set({ kind: 'swallow' });
    const lost = proxy.swallowedBytes();
    const failure = failureOf(send(transport));
    await waitFor(() => proxy.swallowedBytes() > lost);
    await proxy.set({ kind: 'reset' });
    expect((await failure).fate).to.equal('retry');
  });

  it('is ended by its signal', async () => {
    const transport = transportTo(through());
    await send(transport);
    await proxy.set({ kind: 'swallow' });
    const controller = new AbortController();
    const lost = proxy.swallowedBytes();
    const attempt = send(transport, message, controller.signal).catch((error: unknown) => error);
    await waitFor(() => proxy.swallowedBytes() > lost);
    controller.abort();
    expect(await attempt)
      .to.be.instanceOf(Error)
      .and.not.instanceOf(DeliveryError);
  });

  describe('the status', () => {
    const status = (payload: string) => waitFor(() => seen.state.get(STATUS) === payload, { what: payload });

    it('says online, and offline after a close, to whoever asks later too', async () => {
      const transport = transportTo(broker.url, { announces: true });
      await transport.connect();
      await status('online');
      await transport.close();
      await status('offline');
      const later = await listen(broker.url);
      await waitFor(() => later.state.get(STATUS) === 'offline');
      expect(later.messages.find(({ topic }) => topic === STATUS)?.retained).to.equal(true);
      await later.close();
    });

    it('says offline by the broker itself when the process is gone without a word', async () => {
      const transport = transportTo(through(), { announces: true });
      await transport.connect();
      await status('online');
      await proxy.set({ kind: 'refuse' });
      await status('offline');
    });

    it('stays online while another notifier is there', async () => {
      const [one, other] = [1, 2].map(() => transportTo(broker.url, { announces: true }));
      await Promise.all([one?.connect(), other?.connect()]);
      await seen.settle();
      seen.messages.length = 0;
      await one?.close();
      await waitFor(() => {
        const said = arrived(STATUS).map(({ payload }) => payload);
        return said.includes('offline') && said.at(-1) === 'online';
      });
    });

    it('is no affair of a command that only sends', async () => {
      await send(transportTo(broker.url));
      await waitFor(() => arrived(`grill-stats/${OWNER}/events`).length === 1);
      await Promise.all(transports.splice(0).map((transport) => transport.close()));
      expect(arrived(STATUS)).to.deep.equal([]);
    });
  });

  describe('an address', () => {
    const { prepare } = createMqtt(createMqttTransport({ url: 'mqtt://127.0.0.1:9', announces: false }));

    it('is the discovery prefix', () => {
      expect(prepare(target)).to.deep.equal(target);
    });

    for (const url of [
      '',
      'mqtt:',
      'mqtt:a/b',
      'mqtt:#',
      'mqtt:+',
      'mqtt:$SYS',
      'mqtt://127.0.0.1',
      'homeassistant',
      'mqtt:a b',
    ])
      it(`may not be ${JSON.stringify(url)}`, () => {
        expect(() => prepare({ url, secret: null })).to.throw(InputError, '--url must be mqtt:');
      });

    it('takes no secret', () => {
      expect(() => prepare({ ...target, secret: 'x' })).to.throw(InputError, 'MQTT_URL');
    });
  });

  it('is delivered from a stored notification under its owner’s public id', async () => {
    const world = await startWorld();
    try {
      const mqtt = transportTo(broker.url);
      const channels = createChannels({ mqtt, readChart: async () => undefined });
      const manager = new ChannelManager(world.dataSource.manager, { channels, secretBox, outbound });
      const { id, config } = await manager.create({ userId: world.user.id, kind: 'mqtt', ...target });
      expect(config).to.deep.equal({ url: 'mqtt:homeassistant' });
      const notification = await addNotification(world, id);
      await createDeliverer({ dataSource: world.dataSource, channels, secretBox, outbound })(notification);
      expect(await getNotification(world.dataSource, notification)).to.include({ status: 'delivered' });
      const topic = `grill-stats/${world.user.publicId}/events`;
      const [event] = await waitFor(() => arrived(topic).length > 0 && arrived(topic));
      expect(JSON.parse(event?.payload ?? '')).to.include({ type: 'alert.fired', sequence: 1 });
      await world.dataSource.manager.deleteAll(NotificationChannel);
    } finally {
      await world.close();
    }
  });
});
