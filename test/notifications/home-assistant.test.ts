import { expect } from 'chai';
import { connectAsync } from 'mqtt';
import { AlertState } from '../../src/entities/alert-state.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { createChannels } from '../../src/notifications/channels.js';
import { createHomeAssistant } from '../../src/notifications/home-assistant.js';
import { createMqttTransport, type MqttTransport } from '../../src/notifications/mqtt-transport.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { type Broker, listen, startBroker } from './broker.js';
import { addAlert, outbound, secretBox, startWorld, type World } from './world.js';

const EVIL = 'Pit/#\r\n+"{{ x }}\0\u202e<b>';

describe('Home Assistant', () => {
  let broker: Broker;
  let proxy: TcpProxy;
  let world: World;
  let device: string;
  let seen: Awaited<ReturnType<typeof listen>>;
  let transport: MqttTransport;
  let tick: () => Promise<void>;

  before(async function () {
    this.timeout(120_000);
    broker = await startBroker();
    proxy = await startTcpProxy(broker.url);
  });
  beforeEach(async () => {
    world = await startWorld();
    [{ device }] = await sql('SELECT public_id AS device FROM devices');
    await sql("UPDATE probes SET last_value = 203.2, last_unit = 'F' WHERE probe_id = '1'");
    seen = await listen(broker.url);
    transport = createMqttTransport({ url: proxy.through(broker.url), announces: true, timeoutMs: 30_000 });
    tick = createHomeAssistant({ db: world.dataSource.manager, transport });
  });
  afterEach(async () => {
    await world.dataSource.manager.deleteAll(NotificationChannel);
    await proxy.set({ kind: 'pass' });
    await tick();
    await transport.close();
    await seen.close();
    await world.close();
  });
  after(async () => {
    await proxy.close();
    await broker.close();
  });

  const sql = (text: string, values: unknown[] = []) => world.dataSource.query(text, values);
  const addChannel = (url = 'mqtt:homeassistant') => {
    const channels = createChannels({ mqtt: transport, readChart: async () => undefined });
    const manager = new ChannelManager(world.dataSource.manager, { channels, secretBox, outbound });
    return manager.create({ userId: world.user.id, kind: 'mqtt', url, secret: null });
  };
  const owner = () => `grill-stats/${world.user.publicId}`;
  /** Everything of ours that a program which connects now is told, as the broker has kept it. */
  async function retained(): Promise<Map<string, string>> {
    const later = await listen(broker.url);
    // What is retained comes before what is published after the subscription.
    await later.settle();
    await later.close();
    const ours = later.messages.filter(({ topic }) => topic.includes(world.user.publicId));
    for (const message of ours) expect(message.retained, message.topic).to.equal(true);
    return new Map(ours.map(({ topic, payload }) => [topic, payload]));
  }
  async function tickAndSee(count: number) {
    await seen.settle();
    seen.messages.length = 0;
    await tick();
    await seen.settle();
    const all = seen.messages.filter(({ topic }) => topic.includes(world.user.publicId));
    expect(all, JSON.stringify(all)).to.have.lengthOf(count);
    return new Map(all.map(({ topic, payload }) => [topic, payload]));
  }

  it('is told nothing, and the broker is not dialled, while no user has such a channel', async () => {
    const opened = proxy.opened();
    await tick();
    expect(proxy.opened()).to.equal(opened);
  });

  it('finds a probe’s sensor, an alert and the device’s session by itself, with their states', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await tick();
    const topics = await retained();
    const id = `grill_stats_${world.user.publicId}`;
    const shared = {
      availability_topic: 'grill-stats/status',
      device: { identifiers: [`${id}_${device}`], name: 'Brisket', manufacturer: 'ThermoWorks' },
      origin: { name: 'Grill Stats' },
    };
    const config = (component: string, unique: string) =>
      JSON.parse(topics.get(`homeassistant/${component}/grill_stats/${unique}/config`) ?? 'null');
    const probe = `${id}_probes_${device}_1`;
    expect(config('sensor', probe)).to.deep.equal({
      ...shared,
      unique_id: probe,
      name: 'Point',
      state_topic: `${owner()}/probes/${device}/1`,
      device_class: 'temperature',
      unit_of_measurement: '°F',
      state_class: 'measurement',
    });
    expect(config('binary_sensor', `${id}_alerts_${alert.publicId}`)).to.deep.include({
      ...shared,
      name: 'Brisket done',
      state_topic: `${owner()}/alerts/${alert.publicId}`,
    });
    expect(config('binary_sensor', `${id}_sessions_${device}`)).to.deep.include({
      ...shared,
      name: 'Session',
      device_class: 'running',
      state_topic: `${owner()}/sessions/${device}`,
    });
    expect(topics.get(`${owner()}/probes/${device}/1`)).to.equal('203.2');
    expect(topics.get(`${owner()}/alerts/${alert.publicId}`)).to.equal('OFF');
    expect(topics.get(`${owner()}/sessions/${device}`)).to.equal('ON');
    expect(topics.size).to.equal(6);
  });

  it('is told of an alert on a battery, which has no probe', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await sql(
      "UPDATE temperature_alerts SET probe_id = NULL, alert_type = 'battery', battery_percent = 20, name = NULL",
    );
    const topics = await tickAndSee(6);
    const config = `homeassistant/binary_sensor/grill_stats/grill_stats_${world.user.publicId}_alerts_${alert.publicId}/config`;
    expect(JSON.parse(topics.get(config) ?? '')).to.include({ name: 'battery 20 %' });
    expect(topics.get(`${owner()}/alerts/${alert.publicId}`)).to.equal('OFF');
  });

  it('is told only what has changed', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await tick();
    await tickAndSee(0);
    await sql("UPDATE probes SET last_value = 204 WHERE probe_id = '1'");
    expect([...(await tickAndSee(1))]).to.deep.equal([[`${owner()}/probes/${device}/1`, '204']]);
    await sql("UPDATE probes SET state = 'absent' WHERE probe_id = '1'");
    expect([...(await tickAndSee(1)).values()]).to.deep.equal(['None']);
    const state = { alertId: alert.id, side: 'up', version: 1 } as const;
    const { manager } = world.dataSource;
    const tiers = (['warning', 'critical'] as const).map((tier) =>
      Object.assign(new AlertState(), { ...state, tier, phase: 'firing' }),
    );
    await manager.save(tiers);
    expect([...(await tickAndSee(1))]).to.deep.equal([[`${owner()}/alerts/${alert.publicId}`, 'ON']]);
    await manager.update(AlertState, { ...state, tier: 'critical' }, { phase: 'inactive' });
    await tickAndSee(0);
    await manager.update(AlertState, state, { phase: 'recovering' });
    await tickAndSee(0);
    await manager.update(AlertState, state, { phase: 'inactive' });
    expect([...(await tickAndSee(1)).values()]).to.deep.equal(['OFF']);
    await sql("UPDATE grilling_sessions SET status = 'completed', phase = 'ended', end_time = now()");
    expect([...(await tickAndSee(1))]).to.deep.equal([[`${owner()}/sessions/${device}`, 'OFF']]);
  });

  it('is told of humidity in percent, and of another unit by a new description', async () => {
    await addChannel();
    await tick();
    await sql("UPDATE probes SET last_unit = 'C', last_value = 95.1 WHERE probe_id = '1'");
    const [config] = [...(await tickAndSee(2)).values()];
    expect(JSON.parse(config ?? '')).to.include({ unit_of_measurement: '°C' });
    await sql("UPDATE probes SET last_unit = 'H' WHERE probe_id = '1'");
    const [humid] = [...(await tickAndSee(1)).values()];
    expect(JSON.parse(humid ?? '')).to.include({ unit_of_measurement: '%', device_class: 'humidity' });
  });

  it('forgets what is gone: an alert, then with the channel everything', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await tick();
    await world.dataSource.manager.update(TemperatureAlert, { id: alert.id }, { deletedAt: new Date() });
    const topics = await tickAndSee(2);
    expect([...topics.keys()].every((topic) => topic.includes(alert.publicId))).to.equal(true);
    expect([...topics.values()]).to.deep.equal(['', '']);
    expect((await retained()).size).to.equal(4);
    await world.dataSource.manager.deleteAll(NotificationChannel);
    await tick();
    expect((await retained()).size).to.equal(0);
  });

  it('is told everything again over a new connection, and what went meanwhile', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await tick();
    await proxy.set({ kind: 'refuse' });
    await sql("UPDATE probes SET last_value = 205 WHERE probe_id = '1'");
    await world.dataSource.manager.update(TemperatureAlert, { id: alert.id }, { deletedAt: new Date() });
    await waitFor(
      () =>
        tick().then(
          () => false,
          () => true,
        ),
      { what: 'a tick without a broker' },
    );
    await proxy.set({ kind: 'pass' });
    const topics = await tickAndSee(6);
    expect(topics.get(`${owner()}/probes/${device}/1`)).to.equal('205');
    expect(topics.get(`${owner()}/alerts/${alert.publicId}`)).to.equal('');
    expect((await retained()).size).to.equal(4);
  });

  it('takes back what went while no notifier ran, and nothing of anybody else', async () => {
    await addChannel();
    const alert = await addAlert(world);
    await tick();
    await transport.close();
    await world.dataSource.manager.update(TemperatureAlert, { id: alert.id }, { deletedAt: new Date() });
    const stranger = '01890000-0000-7000-8000-000000000000';
    const foreign = [
      `homeassistant/sensor/grill_stats/grill_stats_${stranger}_probes_d_1/config`,
      `homeassistant/sensor/other/${world.user.publicId}/config`,
      `grill-stats/${stranger}/probes/d/1`,
      `grill-stats/${world.user.publicId}/notes`,
    ];
    const other = await connectAsync(broker.url, { reconnectPeriod: 0 }, false);
    for (const topic of foreign) await other.publishAsync(topic, 'kept', { qos: 1, retain: true });

    transport = createMqttTransport({ url: broker.url, announces: true, timeoutMs: 30_000 });
    tick = createHomeAssistant({ db: world.dataSource.manager, transport });
    await tick();
    await seen.settle();
    for (const topic of foreign) expect(seen.state.get(topic), topic).to.equal('kept');
    const ofAlert = [...seen.state].filter(([topic]) => topic.includes(alert.publicId));
    expect(ofAlert.map(([, payload]) => payload)).to.deep.equal(['', '']);
    expect((await retained()).size).to.equal(4 + 2);
    await tickAndSee(0);
    for (const topic of foreign) await other.publishAsync(topic, '', { qos: 1, retain: true });
    await other.endAsync();
  });

  it('has topics of ids alone, whatever the labels and the cloud’s own ids hold', async () => {
    await addChannel();
    await sql("UPDATE probes SET label = $1 WHERE probe_id = '1'", [EVIL.replace('\0', '')]);
    await sql("UPDATE probes SET probe_id = '+/#', last_unit = 'F', last_value = 1 WHERE probe_id = '2'");
    await sql('UPDATE devices SET nickname = $1', [EVIL.replace('\0', '')]);
    await tick();
    const topics = await retained();
    expect(topics.size).to.equal(6);
    for (const topic of topics.keys()) expect(topic).to.match(/^[A-Za-z0-9_/-]+$/);
    expect(topics.get(`${owner()}/probes/${device}/x2b2f23`)).to.equal('1');
    const config = [...topics].find(([topic]) => topic.endsWith('_1/config'))?.[1] ?? '';
    expect(JSON.parse(config)).to.include({ name: 'Pit/# +"{{ x }} <b>' });
  });

  it('is asked for by one statement, for another prefix and another user alike', async () => {
    await addChannel('mqtt:ha-test');
    await addChannel();
    await sql("UPDATE users SET is_active = true WHERE email = 'cook@example.com'");
    await tick();
    const topics = [...(await retained()).keys()];
    const prefixes = ['ha-test/', 'homeassistant/', 'grill-stats/'];
    expect(prefixes.map((prefix) => topics.filter((topic) => topic.startsWith(prefix)).length)).to.deep.equal(
      [2, 2, 2],
    );
    await sql('UPDATE users SET is_active = false');
    await tick();
    expect((await retained()).size).to.equal(0);
  });
});
