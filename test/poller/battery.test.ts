import { expect } from 'chai';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { readingsJobId } from '../../src/queues/jobs.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { startReceiver } from '../notifications/receiver.js';
import { outbound, secretBox } from '../notifications/world.js';
import { type Home, type Kitchen, openHome, openKitchen } from './kitchen.js';

describe('poll: batteries', () => {
  let home: Home;
  let kitchen: Kitchen;
  let account: number;
  let userId: number;
  let serial: string;

  before(async () => {
    home = await openHome();
  });
  beforeEach(async () => {
    kitchen = await openKitchen(home);
    ({ account } = await kitchen.link());
    serial = (await kitchen.cloud.devices())[0]?.id ?? '';
    // No readings but what a test says: what a poll finds new is the battery.
    await kitchen.readings({ device_id: serial, manual: true });
    await kitchen.poll(account);
    [{ user_id: userId }] = await kitchen.dataSource.query('SELECT user_id FROM devices');
  });
  afterEach(() => kitchen.close());
  after(() => home.close());

  const shows = (percent: number | null, state: string | null = 'discharging') =>
    kitchen.fault({
      device: serial,
      patch: {
        battery: percent === null ? { nullValue: null } : { integerValue: String(percent) },
        batteryState: state === null ? null : { stringValue: state },
      },
    });
  const watch = (options: Record<string, unknown> = {}) =>
    kitchen.dataSource.transaction((tx) =>
      new AlertManager(tx).create(userId, { deviceId: serial, type: 'battery', ...options }),
    );
  /** The batteries that a poll half a minute later tells of. */
  const polled = async () => {
    kitchen.pass(30);
    const { jobs, error } = await kitchen.poll(account);
    expect(error).to.equal(undefined);
    return jobs.map(({ probes, batteries = [] }) => [
      probes.length,
      ...batteries.map(([, , percent]) => percent),
    ]);
  };
  const events = async () => {
    const rows = await kitchen.dataSource.query<{ line: string }[]>(
      "SELECT concat_ws(' ', kind, tier, value, unit) AS line FROM alert_events ORDER BY id",
    );
    return rows.map(({ line }) => line);
  };

  it('are told once they change, and only where an alert watches them', async () => {
    await shows(30);
    expect(await polled()).to.deep.equal([]);
    await watch();
    expect(await polled()).to.deep.equal([[0, 30]]);
    expect(await polled()).to.deep.equal([]);
    await shows(20);
    expect(await polled()).to.deep.equal([[0, 20]]);
    expect(await polled()).to.deep.equal([]);
    expect(await events()).to.deep.equal(['fired warning 20']);
    await shows(20, 'charging');
    expect(await polled()).to.deep.equal([[0, 20]]);
    await shows(26, 'charging');
    await polled();
    expect(await events()).to.deep.equal(['fired warning 20', 'resolved warning 26']);
    const [row] = await kitchen.dataSource.query('SELECT last_triggered FROM temperature_alerts');
    expect(row.last_triggered).to.be.an.instanceOf(Date);
  });

  it('reach people by the name of the device, over channels that know of no probe', async () => {
    const receiver = await startReceiver();
    const { dataSource } = kitchen;
    await dataSource.query("UPDATE devices SET nickname = 'Smoker'");
    const channels = new ChannelManager(dataSource.manager, { channels: CHANNELS, secretBox, outbound });
    for (const kind of ['webhook', 'ntfy'] as const)
      await channels.create({ userId, kind, url: `${receiver.url}/cook`, secret: null });
    await watch();
    await shows(18);
    await polled();
    const deliver = createDeliverer({ dataSource, channels: CHANNELS, secretBox, outbound });
    const rows = await dataSource.query<{ id: string }[]>('SELECT id FROM notifications ORDER BY channel_id');
    for (const { id } of rows) await deliver(id);
    await receiver.close();
    expect(receiver.received).to.have.lengthOf(2);
    for (const { body } of receiver.received)
      expect(body).to.match(/Smoker.*its battery is at 18 %, at or below 20 % since [^"]* UTC/s);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).to.deep.include({ probe: null, session: null });
  });

  it('are another job for an alert that was changed, though the device was not heard of since', async () => {
    await shows(15);
    await watch();
    await polled();
    const { alert } = await watch({ batteryPercent: 16 });
    await polled();
    await kitchen.dataSource.transaction((tx) =>
      new AlertManager(tx).set(alert.publicId, { batteryPercent: '15' }),
    );
    await polled();
    expect(await polled()).to.deep.equal([]);
    expect(await events()).to.deep.equal(['fired warning 15', 'fired warning 15', 'fired warning 15']);
    expect(new Set(kitchen.queue.jobs.map(readingsJobId)).size).to.equal(kitchen.queue.jobs.length);
  });

  it('travel with readings where there are some, and a job that comes twice tells nothing', async () => {
    await shows(15);
    await watch();
    await kitchen.readings({ device_id: serial, probe_id: '1', readings: [{ value: 150 }] });
    expect(await polled()).to.deep.equal([[1, 15]]);
    const ingest = createIngest({ dataSource: kitchen.dataSource });
    await ingest(kitchen.queue.jobs);
    await Promise.all([ingest(kitchen.queue.jobs), ingest(kitchen.queue.jobs)]);
    expect(await events()).to.deep.equal(['fired warning 15']);
  });

  it('are told again while nobody stored them', async () => {
    await shows(15);
    await watch();
    kitchen.queue.fate = 'lost';
    const [[lost], [again]] = [await polled(), await polled()];
    expect([lost, again]).to.deep.equal([
      [0, 15],
      [0, 15],
    ]);
    kitchen.queue.fate = 'ingested';
    await polled();
    expect(await polled()).to.deep.equal([]);
    expect(await events()).to.deep.equal(['fired warning 15']);
  });

  it('are unknown when they are out of range or nothing: no word, and no crossing', async () => {
    await shows(30);
    await watch();
    await polled();
    for (const percent of [189, -1, null]) {
      await shows(percent);
      expect(await polled()).to.deep.equal([]);
    }
    await shows(30);
    expect(await polled()).to.deep.equal([]);
    expect(await events()).to.deep.equal([]);
  });

  it('are judged by their fall where the device says no more than a number', async () => {
    await shows(12, null);
    await watch();
    for (const percent of [12, 14, 14]) {
      await shows(percent, null);
      await polled();
    }
    expect(await events()).to.deep.equal([]);
    await shows(13, null);
    await polled();
    expect(await events()).to.deep.equal(['fired warning 13']);
  });

  it('are nobody else’s: a switched-off or deleted alert is told nothing', async () => {
    const { alert } = await watch();
    await shows(5);
    await kitchen.dataSource.transaction((tx) => new AlertManager(tx).delete(alert.publicId));
    expect(await polled()).to.deep.equal([]);
    expect(await events()).to.deep.equal([]);
  });
});
