import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { AlertFlags } from '../../src/alerts/alert-flags.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { createIngest, type Ingest, type IngestOutcome } from '../../src/ingest/ingest.js';
import { createTimers } from '../../src/worker/maintenance.js';
import {
  addAlert,
  addChannel,
  addHome,
  type Home,
  job,
  MINUTE,
  openDatabase,
  T0,
} from '../ingest/household.js';
import { addLinkedHome, polledAt } from './linked-home.js';

const at = (minutes: number) => T0 + minutes * MINUTE;
const STORE = { probes: [{ role: 'storage' as const }] };
const GATEWAY = 'TAABBCC001133';

describe('a gateway that falls silent', () => {
  let db: DataSource;
  let close: () => Promise<void>;
  let connect: () => Promise<DataSource>;
  let ingest: Ingest;

  before(async () => {
    ({ db, close, connect } = await openDatabase());
    ingest = createIngest({ dataSource: db });
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => close());

  /** A gateway and so many devices behind it, all heard at minute 0; each with an alert on its probe but for the gateway. */
  async function household(count: number, { gatewayAlert = false } = {}): Promise<Home[]> {
    const interval = { transmitIntervalSeconds: 60 };
    const gateway = await addLinkedHome(db, {
      ...STORE,
      device: { ...interval, iotDeviceId: GATEWAY, label: 'Kettle' },
    });
    const homes = [gateway];
    for (let n = 0; n < count; n++) {
      const device = { ...interval, gatewayId: GATEWAY, iotDeviceId: `own${n}` };
      homes.push(await addHome(db, { ...STORE, device, userId: gateway.userId }));
    }
    for (const home of gatewayAlert ? homes : homes.slice(1))
      await addAlert(db, home, { type: 'no_data', silenceMinutes: 10 });
    await addChannel(db, gateway.userId, 'webhook');
    await ingest(homes.map((home) => job(home, [[at(0), 4, 'C']])));
    return homes;
  }

  /** Two rounds of the timers after a poll at that minute. @returns what they did */
  async function look([gateway]: readonly Home[], minutes: number, by = ingest): Promise<IngestOutcome[]> {
    const outcomes: IngestOutcome[] = [];
    if (gateway) await polledAt(db, gateway, at(minutes));
    const timers = createTimers({
      dataSource: db,
      ingest: by,
      onCommit: (outcome) => outcomes.push(outcome),
    });
    await timers();
    await timers();
    return outcomes;
  }

  const show = (home: Home | undefined, minutes: number) =>
    home ? ingest([job(home, [[at(minutes), 4, 'C']])]) : Promise.reject(new Error('no such home'));

  /** `device kind minute`, and what it says of others: in the order of the events; of which devices (0: the gateway). */
  async function events(homes: readonly Home[]): Promise<string[]> {
    const rows = await db.query<{ device_id: string; kind: string; muted: boolean; behind: number | null }[]>(
      `SELECT a.device_id, e.kind, e.is_muted AS muted, e.silent_devices AS behind
       FROM alert_events e JOIN temperature_alerts a ON a.id = e.alert_id ORDER BY e.id`,
    );
    return rows.map(({ device_id, kind, muted, behind }) => {
      const device = homes.findIndex(({ deviceId }) => deviceId === device_id);
      return `${device} ${kind}${muted ? ' muted' : ''}${behind === null ? '' : ` for ${behind}`}`;
    });
  }
  const told = async () =>
    (await db.query<{ count: number }[]>('SELECT count(*)::integer FROM notifications'))[0]?.count;

  it('is told once, by one of the devices behind it, with its end', async () => {
    const homes = await household(3);
    await look(homes, 10);
    expect(await events(homes)).to.deep.equal(['1 fired for 3', '2 fired muted', '3 fired muted']);
    await look(homes, 30);
    for (const home of homes) await show(home, 31);
    await look(homes, 40);
    expect((await events(homes)).slice(3)).to.deep.equal([
      '1 resolved',
      '2 resolved muted',
      '3 resolved muted',
    ]);
    expect(await told()).to.equal(2);
  });

  it('is told by its own alert where it has one, also for devices that are found silent later', async () => {
    const homes = await household(2, { gatewayAlert: true });
    await show(homes[2], 0.5);
    await look(homes, 10);
    await look(homes, 10.5);
    expect(await events(homes)).to.deep.equal(['0 fired for 2', '1 fired muted', '2 fired muted']);
    expect(await told()).to.equal(1);
  });

  for (const [heard, tells] of [
    [1, ['1 fired for 2', '2 fired muted']],
    [1.001, ['1 fired', '2 fired']],
  ] as const)
    it(`${heard} min before ${tells.length === 2 && heard > 1 ? 'is heard: each tells of itself' : 'counts as silent'}`, async () => {
      const homes = await household(2);
      await show(homes[0], heard);
      await look(homes, 10);
      expect(await events(homes)).to.deep.equal(tells);
    });

  it('is not silent while the cloud hears of it, though it shows nothing', async () => {
    const homes = await household(2);
    await db.query('UPDATE devices SET last_seen_at = $1 WHERE iot_device_id = $2', [
      new Date(at(9.5)),
      GATEWAY,
    ]);
    await look(homes, 10);
    expect(await events(homes)).to.deep.equal(['1 fired', '2 fired']);
  });

  it('says nothing of the devices of others, nor of those that are not behind it', async () => {
    const homes = await household(1);
    const other = await addLinkedHome(db, {
      ...STORE,
      device: { gatewayId: GATEWAY, transmitIntervalSeconds: 60 },
    });
    const apart = await addHome(db, {
      ...STORE,
      device: { transmitIntervalSeconds: 60 },
      userId: homes[0]?.userId,
    });
    for (const home of [other, apart]) {
      await addAlert(db, home, { type: 'no_data', silenceMinutes: 10 });
      await show(home, 0);
    }
    await look([other], 10);
    await look(homes, 10);
    const all = [...homes, other, apart];
    expect(await events(all)).to.have.members(['1 fired for 1', '2 fired', '3 fired']);
  });

  it('lets those that stay silent speak, one interval after it is heard of again', async () => {
    const homes = await household(3);
    await look(homes, 10);
    await show(homes[0], 20);
    await show(homes[1], 20);
    await look(homes, 20.9);
    await look(homes, 21.8);
    expect((await events(homes)).slice(3)).to.deep.equal(['1 resolved']);
    await look(homes, 21.9);
    expect((await events(homes)).slice(4)).to.deep.equal(['2 repeated', '3 repeated']);
    await show(homes[2], 30);
    await show(homes[3], 30);
    expect((await events(homes)).slice(6)).to.deep.equal(['2 resolved', '3 resolved']);
    expect(await told()).to.equal(6);
  });

  it('does not keep the others silent when what told of it is gone', async () => {
    const homes = await household(2);
    await look(homes, 10);
    await db.query('UPDATE temperature_alerts SET deleted_at = now() WHERE device_id = $1', [
      homes[1]?.deviceId,
    ]);
    await look(homes, 12);
    await look(homes, 13);
    expect((await events(homes)).slice(2)).to.deep.equal(['2 repeated']);
  });

  it('is told by the next one where the first is snoozed', async () => {
    const homes = await household(2);
    const first = await db.manager.findOneByOrFail(TemperatureAlert, { deviceId: homes[1]?.deviceId ?? '' });
    await look(homes, 1);
    await db.transaction((tx) => new AlertFlags(tx).snooze(first.publicId, 60));
    await look(homes, 10);
    expect((await events(homes)).filter((event) => event.includes('fired'))).to.deep.equal([
      '1 fired muted',
      '2 fired for 2',
    ]);
  });

  it('is told once, however many workers find it at once', async () => {
    const homes = await household(8);
    const others = await Promise.all([connect(), connect(), connect()]);
    if (homes[0]) await polledAt(db, homes[0], at(10));
    const ingests = [db, ...others].map((dataSource) => createIngest({ dataSource }));
    const moments = homes.map(({ device }) => ({ device, nowMs: at(10) }));
    for (let round = 0; round < 2; round++)
      await Promise.all(moments.toReversed().map((moment, index) => ingests[index % 4]?.([], [moment])));
    const all = await events(homes);
    expect(all).to.have.length(8);
    expect(all.filter((event) => !event.includes('muted'))).to.have.length(1);
  });
});
