import { expect } from 'chai';
import { loadConfig } from '../../src/config.js';
import { NotificationAttempt } from '../../src/entities/notification-attempt.js';
import type { ChannelKind } from '../../src/entities/notification-channel.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { type Channels, createChannels } from '../../src/notifications/channels.js';
import { createMqttTransport } from '../../src/notifications/mqtt-transport.js';
import { createDeliverer, type Deliverer } from '../../src/worker/deliver.js';
import { listen, startAedes } from '../notifications/broker.js';
import { CHAT_SERVICES, hold, say } from '../notifications/chat-services.js';
import { startMailServer } from '../notifications/mail-server.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import {
  addNotification,
  getNotification,
  outbound,
  secretBox,
  startWorld,
  type World,
} from '../notifications/world.js';
import { type Front, startFront, type Trouble } from './front.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Sent when somebody should run to the pit. */
const PHONES: ChannelKind[] = ['ntfy', 'slack', 'discord', 'telegram'];

/** A channel to a receiver that keeps to its protocol, behind a front that does not. */
interface Line {
  kind: ChannelKind;
  front: Front;
  /** `public_id` of the channel. */
  id: string;
  /** Messages that the receiver has taken. */
  copies(): Promise<number>;
}

/** How one notification ended; minutes since it was made, by a clock that skips what is only waiting. */
interface Outcome {
  status: string;
  attempts: number;
  copies: number;
  minutes: number;
  error: string;
}

describe('faults: receivers, channel by channel', function () {
  this.timeout(300_000);
  let world: World;
  let lines: Line[];
  let deliver: Deliverer;
  const closing: (() => Promise<unknown>)[] = [];

  before(async () => {
    world = await startWorld();
    closing.push(world.close);
    const mail = await startMailServer();
    const mailFront = await startFront(mail.port, (answer) => answer.includes('queued as'));
    const broker = await startAedes();
    const PUBACK = 0x40;
    const brokerFront = await startFront(Number(new URL(broker.url).port), ([type]) => type === PUBACK);
    const seen = await listen(broker.url);
    const mqtt = createMqttTransport({ url: `mqtt://127.0.0.1:${brokerFront.port}`, announces: false });
    const { smtp } = loadConfig({ SMTP_URL: `smtp://127.0.0.1:${mailFront.port}/?from=grill@example.com` });
    closing.push(mail.close, broker.close, seen.close, mailFront.close, brokerFront.close, mqtt.close);
    const channels = createChannels({ smtp, mqtt, readChart: async () => undefined });
    const heard = async () => {
      await seen.settle();
      return seen.messages.filter(({ topic }) => topic.endsWith('/events')).length;
    };
    lines = [
      await httpLine(channels, 'webhook', '/in', null, (response) => response.writeHead(204).end()),
      await httpLine(channels, 'ntfy', '/cook', null, (response) => say(response, 200, { id: 'x' })),
      ...(await Promise.all(
        CHAT_SERVICES.map((one) => httpLine(channels, one.kind, one.path, one.secret, hold(one))),
      )),
      {
        ...{ kind: 'email', front: mailFront, copies: async () => mail.arrived.length },
        id: await create(channels, 'email', 'cook@example.com', null),
      },
      {
        ...{ kind: 'mqtt', front: brokerFront, copies: heard },
        id: await create(channels, 'mqtt', 'mqtt:homeassistant', null),
      },
    ];
    deliver = createDeliverer({
      dataSource: world.dataSource,
      channels,
      secretBox,
      outbound,
      random: () => 0.5,
    });
  });
  after(async () => {
    for (const close of closing.reverse()) await close();
  });

  async function create(channels: Channels, kind: ChannelKind, url: string, secret: string | null) {
    const manager = new ChannelManager(world.dataSource.manager, { channels, secretBox, outbound });
    return (await manager.create({ userId: world.user.id, kind, url, secret })).id;
  }

  async function httpLine(
    channels: Channels,
    kind: ChannelKind,
    path: string,
    secret: string | null,
    answer: Receiver['answer'],
  ): Promise<Line> {
    const receiver = await startReceiver();
    receiver.answer = answer;
    const front = await startFront(receiver.port, () => true);
    closing.push(receiver.close, front.close);
    const id = await create(channels, kind, `http://127.0.0.1:${front.port}${path}`, secret);
    return { kind, front, id, copies: async () => receiver.received.length };
  }

  /** One notification over this line, whose receiver is in trouble for so long and then works. */
  async function suffer(line: Line, trouble: Trouble, forMs: number, minutes: number): Promise<Outcome> {
    const db = world.dataSource;
    await line.front.set(trouble);
    const before = await line.copies();
    const id = await addNotification(world, line.id, { minutes });
    for (let waitedMs = 0; ; ) {
      const next = await deliver(id);
      const tried = await db.manager.find(NotificationAttempt, {
        where: { notificationId: id },
        order: { id: 'ASC' },
      });
      const sinceMs = waitedMs + tried.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
      const { status } = await getNotification(db, id);
      if (status !== 'pending') {
        const copies = (await line.copies()) - before;
        return {
          status,
          attempts: tried.length,
          copies,
          minutes: sinceMs / MINUTE,
          error: tried[0]?.error ?? '',
        };
      }
      if (!next) throw new Error(`${line.kind}: pending, and nothing to come`);
      waitedMs += next.inMs;
      if (waitedMs >= forMs) await line.front.set('none');
      await db.query(
        `UPDATE notifications SET next_attempt_at = next_attempt_at - $2 * interval '1 ms',
           expires_at = expires_at - $2 * interval '1 ms', created_at = created_at - $2 * interval '1 ms' WHERE id = $1`,
        [id, next.inMs],
      );
    }
  }

  async function told(
    what: string,
    kinds: readonly Line[],
    { trouble, forMs, minutes = 1_440 }: { trouble: Trouble; forMs: number; minutes?: number },
    expected: { status: string; attempts: number; copies: number },
  ): Promise<void> {
    const outcomes = await Promise.all(kinds.map((line) => suffer(line, trouble, forMs, minutes)));
    for (const [index, outcome] of outcomes.entries()) {
      const kind = kinds[index]?.kind;
      const { status, attempts, copies, error } = outcome;
      const figures = `${status} at attempt ${attempts}, ${outcome.minutes.toFixed(1)} min after the event, copies: ${copies}`;
      process.stdout.write(`fault | ${what}: ${kind} | G6 | ${figures}; "${error.slice(0, 70)}" | pass\n`);
      expect({ status, attempts, copies }, kind).to.deep.equal(expected);
    }
    const off = await world.dataSource.query('SELECT kind FROM notification_channels WHERE NOT is_active');
    expect(off, 'channels that were switched off').to.deep.equal([]);
  }

  const DELIVERED = { status: 'delivered', copies: 1 };
  it('down for an hour', () =>
    told('down for an hour', lines, { trouble: 'down', forMs: HOUR }, { ...DELIVERED, attempts: 9 }));
  it('silent for an hour', () =>
    told('silent for an hour', lines, { trouble: 'silent', forMs: HOUR }, { ...DELIVERED, attempts: 9 }));
  it('answers a byte a second for an hour', () =>
    told('a byte a second', lines, { trouble: 'trickle', forMs: HOUR }, { ...DELIVERED, attempts: 9 }));
  it('answers garbage for an hour', () =>
    told('garbage for an hour', lines, { trouble: 'garbage', forMs: HOUR }, { ...DELIVERED, attempts: 9 }));
  it('dies before its answer, once', () =>
    told(
      'dies before its answer',
      lines,
      { trouble: 'dying', forMs: 1 },
      { ...DELIVERED, attempts: 2, copies: 2 },
    ));
  it('is down for an hour when what is told is worthless after half of it', () =>
    told(
      'down, told a phone',
      lines.filter(({ kind }) => PHONES.includes(kind)),
      { trouble: 'down', forMs: HOUR, minutes: 30 },
      { status: 'expired', attempts: 7, copies: 0 },
    ));
});
