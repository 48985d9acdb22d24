import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { v7 } from 'uuid';
import { createSecretBox } from '../../src/accounts/secret-box.js';
import { NotificationAttempt } from '../../src/entities/notification-attempt.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import { NotificationManager } from '../../src/notifications/notification-manager.js';
import { createOutbound } from '../../src/notifications/outbound.js';
import { createDeliverer, type Delivery } from '../../src/worker/deliver.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import {
  addAlert,
  addChannel,
  addNotification,
  FIRED_AT,
  getNotification,
  outbound,
  secretBox,
  startWorld,
  type World,
} from '../notifications/world.js';
import { waitFor } from '../support/wait-for.js';

describe('deliver', () => {
  let world: World;
  let receiver: Receiver;
  let canary: Receiver;
  let deliveries: Delivery[];

  before(async () => {
    world = await startWorld();
    receiver = await startReceiver();
    canary = await startReceiver();
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.answer = (response) => response.writeHead(204).end();
    deliveries = [];
  });
  afterEach(() => world.dataSource.manager.deleteAll(NotificationChannel));
  after(async () => {
    await world.close();
    await receiver.close();
    await canary.close();
  });

  const deliverer = (change: Partial<Parameters<typeof createDeliverer>[0]> = {}) =>
    createDeliverer({
      dataSource: world.dataSource,
      channels: CHANNELS,
      secretBox,
      outbound,
      random: () => 0.5,
      onDelivery: (delivery) => deliveries.push(delivery),
      ...change,
    });
  const row = (id: string) => getNotification(world.dataSource, id);
  const attempts = (notificationId: string) =>
    world.dataSource.manager.find(NotificationAttempt, { where: { notificationId }, order: { id: 'ASC' } });
  const makeDue = (id: string) =>
    world.dataSource.query('UPDATE notifications SET next_attempt_at = now() WHERE id = $1', [id]);
  const addWebhook = (url = `${receiver.url}/in`) => addChannel(world, 'webhook', url);

  it('delivers what the verifier accepts, says so with a receipt, and does nothing the second time', async () => {
    const { id: channelId, secret = '' } = await addWebhook();
    const id = await addNotification(world, channelId);
    const deliver = deliverer();
    expect(await deliver(id)).to.equal(undefined);
    expect(await deliver(id)).to.equal(undefined);
    expect(receiver.received).to.have.lengthOf(1);
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    expect(headers).to.include({ 'webhook-id': id });
    expect(new Webhook(secret).verify(body, headers)).to.deep.include({
      type: 'alert.fired',
      sequence: 1,
      summary:
        'Brisket done: Point is 203.2 °F, at or above 203 °F since 2026-11-21 20:59 UTC (11 h into session Saturday)',
      reading: { value: 203.2, unit: 'F', measured_at: '2026-11-21T20:59:58.000Z' },
    });
    expect(await row(id)).to.include({ status: 'delivered', attempts: 1 });
    expect((await attempts(id))[0]).to.include({
      attempt: 1,
      outcome: 'delivered',
      statusCode: 204,
      error: null,
    });
    expect(deliveries).to.have.lengthOf(1);
    expect(deliveries[0]).to.include({
      notificationId: id,
      kind: 'webhook',
      status: 'delivered',
      statusCode: 204,
    });
  });

  it('reaches a phone through ntfy and keeps the id that the server gave', async () => {
    receiver.answer = (response) => response.writeHead(200).end('{"id":"hwQ2YpKdmg","event":"message"}');
    const { id: channelId } = await addChannel(world, 'ntfy', `${receiver.url}/cook`, 'tk_1');
    const id = await addNotification(world, channelId);
    await world.dataSource.query("UPDATE users SET time_zone = 'America/Chicago'");
    await world.dataSource.query(
      `INSERT INTO readings (probe_id, measured_at, value, unit, flags)
       SELECT p.id, $1::timestamptz - minute * interval '1 minute', 203.2 - minute / 2, 'F', 0
       FROM probes p, generate_series(0, 12, 2) AS minute WHERE p.probe_id = '1'`,
      [FIRED_AT],
    );
    const now = () => new Date(FIRED_AT.getTime() + 45_000);
    await deliverer({ publicUrl: 'https://grill.example.com', now })(id);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).to.include({
      topic: 'cook',
      title: 'Brisket done',
      message:
        'Point is 203.2 °F, at or above 203 °F since 2026-11-21 14:59 CST (read 45 s ago, rising 30 °F an hour, 11 h into session Saturday)',
      click: 'https://grill.example.com',
    });
    expect((await attempts(id))[0]).to.include({ receipt: 'hwQ2YpKdmg' });
  });

  it('tells about a dead account and proves a channel', async () => {
    const { id: channelId } = await addWebhook();
    const manager = new NotificationManager(world.dataSource.manager);
    const test = await manager.createChannelTest(channelId);
    await deliverer()(test);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).to.deep.include({
      type: 'channel.test',
      id: test,
      channel: { id: channelId, kind: 'webhook' },
    });
    // No account is linked here: what the message would be about is gone.
    const [dead = ''] = await manager.createAboutAccount(world.user.id, v7());
    expect(await deliverer()(dead)).to.equal(undefined);
    expect(await row(dead)).to.include({ status: 'failed', attempts: 1 });
  });

  it('tries again after 500 with the same id, a new time and a new signature, along the schedule', async () => {
    receiver.answer = (response) => response.writeHead(500).end();
    const { id: channelId, secret = '' } = await addWebhook();
    const id = await addNotification(world, channelId);
    let clock = Date.now() - 60_000;
    const deliver = deliverer({ now: () => new Date(clock) });
    for (const waitMs of [2_000, 8_000, 30_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000, 3_600_000]) {
      expect(await deliver(id)).to.deep.equal({ id, inMs: waitMs });
      // The first wait is too short to be sure of on a machine that stands still at times.
      if (waitMs > 2_000) expect(await deliver(id), 'before its time').to.equal(undefined);
      await makeDue(id);
      clock += 5_000;
    }
    receiver.answer = (response) => response.writeHead(200).end();
    expect(await deliver(id)).to.equal(undefined);
    expect(await row(id)).to.include({ status: 'delivered', attempts: 10, lastError: null });
    const kept = await attempts(id);
    expect(kept.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(kept[0]).to.include({ outcome: 'failed', statusCode: 500, error: 'the receiver answered 500' });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id']))).to.deep.equal(
      new Set([id]),
    );
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp'])).size).to.equal(10);
    expect(new Set(receiver.received.map(({ body }) => body)).size).to.equal(1);
    for (const { body, headers } of receiver.received) new Webhook(secret).verify(body, headers);
  });

  it('waits as long as a 429 asks for', async () => {
    receiver.answer = (response) => response.writeHead(429, { 'Retry-After': '90' }).end();
    const id = await addNotification(world, (await addWebhook()).id);
    expect(await deliverer()(id)).to.deep.equal({ id, inMs: 90_000 });
  });

  it('tries again when the receiver dies before its answer', async () => {
    receiver.answer = (response) => response.destroy();
    const id = await addNotification(world, (await addWebhook()).id);
    expect(await deliverer()(id)).to.deep.equal({ id, inMs: 2_000 });
    expect((await attempts(id))[0]).to.include({ outcome: 'failed', statusCode: null });
    expect((await row(id)).lastError).to.match(/^request to 127\.0\.0\.1:\d+ failed: network/);
  });

  it('gives up an answer without an end', async () => {
    receiver.answer = (response) => {
      const more = () => {
        while (response.write(Buffer.alloc(16_384, 120)));
        response.once('drain', more);
      };
      response.writeHead(200);
      more();
    };
    const id = await addNotification(world, (await addWebhook()).id);
    expect(await deliverer()(id)).to.deep.equal({ id, inMs: 2_000 });
    expect((await row(id)).lastError).to.include('too_large');
  });

  it('never follows a redirect', async () => {
    for (const status of [301, 302, 307, 308]) {
      receiver.answer = (response) => response.writeHead(status, { Location: `${canary.url}/` }).end();
      const id = await addNotification(world, (await addWebhook()).id);
      expect(await deliverer()(id)).to.deep.equal({ id, inMs: 2_000 });
      expect((await attempts(id))[0]).to.include({ outcome: 'failed', statusCode: status });
    }
    expect(canary.connections).to.equal(0);
  });

  for (const status of [400, 401, 404]) {
    it(`fails for good on ${status} and keeps the channel`, async () => {
      receiver.answer = (response) => response.writeHead(status).end();
      const { id: channelId } = await addWebhook();
      const id = await addNotification(world, channelId);
      expect(await deliverer()(id)).to.equal(undefined);
      expect(await row(id)).to.include({ status: 'failed', attempts: 1 });
      const channel = { publicId: channelId };
      expect(await world.dataSource.manager.findOneBy(NotificationChannel, channel)).to.include({
        isActive: true,
      });
    });
  }

  it('switches the channel off on 410, until a test gets through', async () => {
    receiver.answer = (response) => response.writeHead(410).end();
    const { id: channelId } = await addWebhook();
    const [id, next] = [await addNotification(world, channelId), await addNotification(world, channelId)];
    const deliver = deliverer();
    expect(await deliver(id)).to.equal(undefined);
    expect(await row(id)).to.include({ status: 'failed' });
    expect(await deliver(next)).to.equal(undefined);
    expect(await row(next)).to.include({ status: 'failed', attempts: 0 });
    expect(receiver.received).to.have.lengthOf(1);
    receiver.answer = (response) => response.writeHead(200).end();
    await deliver(await new NotificationManager(world.dataSource.manager).createChannelTest(channelId));
    const last = await addNotification(world, channelId);
    await deliver(last);
    expect(await row(last)).to.include({ status: 'delivered' });
  });

  for (const status of [403, 410])
    it(`tells the owner over another channel when one is switched off after ${status}`, async () => {
      const [{ id: channelId }, other] = [await addWebhook(), await addWebhook(`${receiver.url}/other`)];
      receiver.answer = (response, { path }) => response.writeHead(path === '/other' ? 204 : status).end();
      await deliverer()(await addNotification(world, channelId));
      const [warning = ''] = await new NotificationManager(world.dataSource.manager).dueIds(10);
      await deliverer()(warning);
      expect(await row(warning)).to.include({ status: 'delivered' });
      const [{ headers, body } = { headers: {}, body: '' }] = receiver.received.slice(1);
      expect(new Webhook(other.secret ?? '').verify(body, headers)).to.deep.include({
        type: 'channel.disabled',
        channel: { id: channelId, kind: 'webhook', last_error: `the receiver answered ${status}` },
      });
    });

  it('keeps the channel when what was to be told is gone', async () => {
    const { id: channelId } = await addWebhook();
    await addWebhook();
    const [dead = ''] = await new NotificationManager(world.dataSource.manager).createAboutAccount(
      world.user.id,
      v7(),
    );
    await deliverer()(dead);
    expect(await row(dead)).to.include({ status: 'failed', attempts: 1 });
    const channel = { publicId: channelId };
    expect(await world.dataSource.manager.findOneBy(NotificationChannel, channel)).to.include({
      isActive: true,
    });
  });

  it('refuses an address that is private where that is no longer allowed, for good and without a connection', async () => {
    const { id: channelId } = await addWebhook(`${canary.url}/in`);
    const id = await addNotification(world, channelId);
    expect(await deliverer({ outbound: createOutbound({ allowPrivate: false }) })(id)).to.equal(undefined);
    expect(await row(id)).to.include({ status: 'failed', attempts: 1 });
    expect((await attempts(id))[0]).to.include({ outcome: 'refused', statusCode: null });
    expect(canary.connections).to.equal(0);
  });

  it('tries again while the key that sealed the secret is missing', async () => {
    const id = await addNotification(world, (await addWebhook()).id);
    const other = createSecretBox([{ id: 'other', key: Buffer.alloc(32, 8) }]);
    expect(await deliverer({ secretBox: other })(id)).to.deep.equal({ id, inMs: 2_000 });
    expect((await row(id)).lastError).to.include('no key');
    await makeDue(id);
    await deliverer()(id);
    expect(await row(id)).to.include({ status: 'delivered' });
  });

  it('is ended by its signal, and the notification is whole for the next', async () => {
    receiver.answer = () => undefined;
    const id = await addNotification(world, (await addWebhook()).id);
    const controller = new AbortController();
    const attempt = deliverer()(id, controller.signal).catch((error: unknown) => error);
    await waitFor(() => receiver.received.length === 1, { what: 'the request' });
    controller.abort();
    expect(await attempt).to.be.instanceOf(Error);
    expect(await row(id)).to.include({ status: 'pending', attempts: 0, leaseUntil: null });
    receiver.answer = (response) => response.writeHead(204).end();
    await deliverer()(id);
    expect(await row(id)).to.include({ status: 'delivered', attempts: 1 });
  });

  it('writes down what was delivered though the connection is lost at it, and sends nothing twice', async () => {
    const id = await addNotification(world, (await addWebhook()).id);
    const other = world.dataSource.createQueryRunner();
    await other.startTransaction();
    receiver.answer = (response) =>
      void other
        .query('SELECT FROM notifications WHERE id = $1 FOR UPDATE', [id])
        .then(() => response.writeHead(204).end());
    const delivered = deliverer()(id);
    await waitFor(async () => {
      const ended = await world.dataSource.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return ended.length > 0;
    });
    await other.rollbackTransaction();
    await other.release();
    expect(await delivered).to.equal(undefined);
    expect(await row(id)).to.include({ status: 'delivered', attempts: 1 });
    expect(receiver.received).to.have.lengthOf(1);
  });

  it('sends two at once to a host, holds no connection meanwhile, and sends the rest away', async () => {
    let [active, most] = [0, 0];
    const open: (() => void)[] = [];
    receiver.answer = (response) => {
      most = Math.max(most, ++active);
      open.push(() => {
        active--;
        response.writeHead(204).end();
      });
    };
    const { id: channelId } = await addWebhook();
    const ids = await Promise.all(Array.from({ length: 10 }, () => addNotification(world, channelId)));
    const deliver = deliverer();
    const answers = ids.map((id) => deliver(id));
    // Two are being sent, four waited for half a second in vain, four did not wait.
    const away = await waitFor(
      async () => {
        const states = await Promise.all(ids.map(row));
        const released = states.filter(({ leaseUntil }) => leaseUntil === null);
        return released.length === 8 && released;
      },
      { what: 'eight that were sent away' },
    );
    expect(active).to.equal(2);
    expect(world.counts().checkedOut).to.equal(0);
    for (const notification of away) expect(notification).to.include({ status: 'pending', attempts: 0 });
    receiver.answer = (response) => response.writeHead(204).end();
    for (const finish of open) finish();
    const retries = (await Promise.all(answers)).filter((answer) => answer !== undefined);
    expect(retries).to.have.lengthOf(8);
    for (const { inMs } of retries) expect(inMs).to.equal(375);
    expect(most).to.equal(2);
    for (const { id } of away) {
      await makeDue(id);
      await deliver(id);
    }
    for (const id of ids) expect(await row(id)).to.include({ status: 'delivered', attempts: 1 });
  });

  it('tells the events of an alert one after the other, whoever asks for which at once, and however often it fails', async () => {
    const { id: channelId } = await addWebhook();
    const alert = await addAlert(world);
    const ids: string[] = [];
    for (let index = 0; index < 8; index++) ids.push(await addNotification(world, channelId, { alert }));
    const answered: { sequence: number; isOk: boolean }[] = [];
    receiver.answer = (response, { body }) => {
      const isOk = answered.length % 3 === 2;
      answered.push({ sequence: sequenceOf(body), isOk });
      if (answered.length % 3 === 1) response.destroy();
      else response.writeHead(isOk ? 204 : 500).end();
    };
    const processes = [deliverer(), deliverer()];
    const left = async () => (await Promise.all(ids.map(row))).filter(({ status }) => status === 'pending');
    while ((await left()).length > 0) {
      expect(answered).to.have.lengthOf.below(25);
      await Promise.all([...ids, ...ids.toReversed()].map((id, index) => processes[index % 2]?.(id)));
      for (const { id } of await left()) await makeDue(id);
    }
    expect(answered).to.deep.equal(
      ids.flatMap((_, index) => [false, false, true].map((isOk) => ({ sequence: index + 1, isOk }))),
    );
  });

  it('names what has waited as soon as it may go: after a success, an end for good, and what was too late', async () => {
    const { id: channelId } = await addWebhook();
    const alert = await addAlert(world);
    const add = () => addNotification(world, channelId, { alert });
    const [first, second, third, fourth] = [await add(), await add(), await add(), await add()];
    const deliver = deliverer();
    expect(await deliver(second), 'behind the first').to.equal(undefined);
    expect(await deliver(first)).to.deep.equal({ id: second, inMs: 0 });
    expect(await deliver(first), 'again, as after a crash').to.deep.equal({ id: second, inMs: 0 });
    receiver.answer = (response) => response.writeHead(400).end();
    expect(await deliver(second)).to.deep.equal({ id: third, inMs: 0 });
    await world.dataSource.query(
      "UPDATE notifications SET expires_at = now() - interval '1 second' WHERE id = $1",
      [third],
    );
    expect(await deliver(third)).to.deep.equal({ id: fourth, inMs: 0 });
    receiver.answer = (response) => response.writeHead(204).end();
    expect(await deliver(fourth)).to.equal(undefined);
    expect(receiver.received.map(({ body }) => sequenceOf(body))).to.deep.equal([1, 2, 4]);
  });

  it('lets one slow host delay no other', async () => {
    const slow = await startReceiver();
    slow.answer = () => undefined;
    const { id: slowChannel } = await addWebhook(slow.url);
    const { id: channelId } = await addWebhook();
    const controller = new AbortController();
    const deliver = deliverer();
    const stuckIds = await Promise.all(Array.from({ length: 6 }, () => addNotification(world, slowChannel)));
    const stuck = stuckIds.map((id) => deliver(id, controller.signal).catch((error: unknown) => error));
    await waitFor(() => slow.received.length === 2, { what: 'two requests to the slow host' });
    const ids = await Promise.all(Array.from({ length: 4 }, () => addNotification(world, channelId)));
    await Promise.all(ids.map((id) => deliver(id)));
    for (const id of ids) expect(await row(id)).to.include({ status: 'delivered' });
    expect(deliveries.filter(({ notificationId }) => stuckIds.includes(notificationId))).to.deep.equal([]);
    controller.abort();
    await Promise.all(stuck);
    await slow.close();
  });
});

function sequenceOf(body: string): number {
  return JSON.parse(body).sequence;
}
