import type { ServerResponse } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { NotificationAttempt } from '../../src/entities/notification-attempt.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { InputError } from '../../src/errors.js';
import { CHANNELS } from '../../src/notifications/channels.js';
import type { Message } from '../../src/notifications/message.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { CHAT_SERVICES, type ChatService, hold, say } from './chat-services.js';
import { type Receiver, startReceiver } from './receiver.js';
import {
  addChannel,
  addNotification,
  getNotification,
  outbound,
  secretBox,
  startWorld,
  type World,
} from './world.js';

const PUBLIC_URL = 'https://grill.example.com/';
const HOSTILE = [
  '<!channel> <!here|x> <@U123> <#C1> <https://evil.example|click>',
  '@everyone @here @channel',
  '[x](http://evil.example) ![y](http://evil.example)',
  '*bold* _it_ ~no~ `code` ```block``` ||spoiler|| # head > quote',
  '<b>html</b> &lt;!channel&gt; &amp;',
  'x'.repeat(10_000),
  '&'.repeat(10_000),
  '*'.repeat(10_000),
  '👨‍👩‍👧'.repeat(10_000),
  'a\0b\r\nc\u202ed\u2066e\u001b[31m',
];
const PIECES = [...'<>@!*\\]()`&~_|#- ä🔥\0\u202e\u2028\u200b', '\ud800', 'here', '](', '\r\n'];
const message: Message = {
  type: 'alert.fired',
  severity: 'warning',
  title: 'Brisket done',
  text: 'Point is 203.2 °F',
  body: {},
};

/** All text of a rendered message, and whether what it says of others is only text. */
const INERT: Record<ChatService['kind'], (rendered: string) => boolean> = {
  slack: (rendered) => !/<(?!https:\/\/grill\.example\.com\/\|Grill Stats>)/.test(rendered),
  discord: (rendered) => {
    const { content, embeds } = JSON.parse(rendered);
    const text = `${content}${embeds[0].description}`
      .replace(`<${PUBLIC_URL}>`, '')
      .replace(/\\[^A-Za-z\d\s]/g, '');
    return !/[\\`*_~|<>[\]()#]/.test(text);
  },
  telegram: (rendered) => !/parse_mode|entities/.test(rendered),
};

describe('chats', () => {
  let world: World;
  let receiver: Receiver;

  before(async () => {
    world = await startWorld();
    receiver = await startReceiver();
  });
  after(async () => {
    await world.close();
    await receiver.close();
  });

  for (const service of CHAT_SERVICES) {
    const { kind, secret, path } = service;
    describe(kind, () => {
      let channelId: string;

      beforeEach(async () => {
        receiver.received.length = 0;
        receiver.answer = hold(service);
        ({ id: channelId } = await addChannel(world, kind, `${receiver.url}${path}`, secret));
      });
      afterEach(async () => {
        await world.dataSource.manager.deleteAll(NotificationChannel);
        await world.dataSource.query("UPDATE probes SET label = 'Point'");
      });

      const channelOf = () => {
        const channel = CHANNELS[kind];
        if (!channel) throw new Error(`no ${kind}`);
        return channel;
      };
      const channelRow = () =>
        world.dataSource.manager.findOneByOrFail(NotificationChannel, { publicId: channelId });
      /** One attempt with this answer. @returns what is kept of it */
      async function attempt(answer: Receiver['answer']) {
        receiver.answer = answer;
        const id = await addNotification(world, channelId);
        const next = await deliver(world, id);
        const [tried] = await world.dataSource.manager.findBy(NotificationAttempt, { notificationId: id });
        return { inMs: next?.inMs, row: await getNotification(world.dataSource, id), tried };
      }

      it('is sent what its documentation asks for, and its receipt is kept', async () => {
        const { row, tried } = await attempt(hold(service));
        expect(tried).to.include({
          outcome: 'delivered',
          statusCode: 200,
          error: null,
          receipt: service.receipt,
        });
        expect(row).to.include({ status: 'delivered' });
        const [{ body } = { body: '' }] = receiver.received;
        for (const part of ['⚠️', 'Brisket done', 'Point is 203.2 °F', PUBLIC_URL])
          expect(body).to.include(part);
      });

      it('shows each kind of message in its look, with a link only where there is one', () => {
        const target = { url: `${receiver.url}${path}`, secret };
        const looks: [Partial<Message>, string][] = [
          [{ severity: 'info' }, 'ℹ️'],
          [{ severity: 'critical' }, '🚨'],
          [{ severity: 'critical', type: 'alert.resolved' }, '✅'],
        ];
        const rendered = looks.map(([change]) => channelOf().render({ ...message, ...change }, target));
        looks.forEach(([, emoji], index) => void expect(rendered[index]).to.include(emoji));
        expect(new Set(rendered).size).to.equal(3);
        for (const text of rendered) {
          expect(text).to.not.include('undefined').and.not.include('http');
          expect(service.body.safeParse(JSON.parse(text)).error).to.equal(undefined);
        }
      });

      it('shows what one can do about it, with the address', () => {
        const links = {
          acknowledge: 'https://grill.example.com/actions/a',
          snooze: 'https://grill.example.com/actions/b',
        };
        const [plain, rendered] = [message, { ...message, links }].map((one) =>
          channelOf().render(one, { url: `${receiver.url}${path}`, secret }, PUBLIC_URL),
        );
        expect(rendered).to.include('Acknowledge').and.include(links.acknowledge);
        expect(rendered).to.include('Snooze').and.include(links.snooze);
        expect(plain).to.not.include('Acknowledge');
      });

      it('shows labels of others as text that calls nobody, within its limits', () => {
        const target = { url: `${receiver.url}${path}`, secret };
        const texts = fc.oneof(
          fc.constantFrom(...HOSTILE),
          fc.array(fc.constantFrom(...PIECES), { maxLength: 300 }).map((all) => all.join('')),
        );
        fc.assert(
          fc.property(texts, texts, (title, text) => {
            const rendered = channelOf().render({ ...message, title, text: `x${text}` }, target, PUBLIC_URL);
            expect(service.body.safeParse(JSON.parse(rendered)).error, rendered).to.equal(undefined);
            expect(INERT[kind](rendered), rendered).to.equal(true);
            expect(JSON.stringify(JSON.parse(rendered))).to.not.match(
              /(?<![\w.+-])@(?:everyone|here|channel)|\\u0000|\u202e|\u2066|\\u001b/,
            );
          }),
          { numRuns: 100, examples: HOSTILE.map((text): [string, string] => [text, text]) },
        );
      });

      it('takes such labels from the database as well', async () => {
        const labels = [HOSTILE.slice(0, 3), HOSTILE.slice(3, 5), HOSTILE.slice(-1)].map((all) =>
          all.join(' '),
        );
        for (const label of labels.map((text) => text.replaceAll('\0', '').slice(0, 100))) {
          await world.dataSource.query('UPDATE probes SET label = $1', [label]);
          await world.dataSource.query('UPDATE devices SET nickname = $1', [label]);
          const { row } = await attempt(hold(service));
          expect(row, label).to.include({ status: 'delivered' });
          expect(INERT[kind](receiver.received.at(-1)?.body ?? '')).to.equal(true);
        }
      });

      it('leaves e-mail addresses as they are', () => {
        const text = 'the sign-in of here@example.com';
        const target = { url: `${receiver.url}${path}`, secret };
        expect(channelOf().render({ ...message, text }, target)).to.include(text);
      });

      it('keeps its secret sealed, and shows it nowhere', async () => {
        const channels = await addChannel(world, kind, `${receiver.url}${path}`, secret);
        expect(channels).to.not.have.property('secret');
        expect(channels.config.url).to.equal(`${receiver.url}${path}`);
        const { row, tried } = await attempt((response) =>
          say(response, 400, { ok: false, code: 1, ...both(`bad ${service.endpoint} and ${secret}`) }),
        );
        expect(row).to.include({ status: 'failed' });
        const stored = JSON.stringify([row, tried, await world.dataSource.manager.find(NotificationChannel)]);
        expect(stored).to.not.include(secret);
        expect(stored).to.include('the receiver answered 400');
      });

      for (const [what, answer] of garbage(service)) {
        it(`tries again after ${what}`, async () => {
          const { row, inMs } = await attempt(answer);
          expect(row).to.include({ status: 'pending', attempts: 1 });
          expect(inMs).to.equal(2_000);
          expect(await channelRow()).to.include({ isActive: true });
        });
      }

      for (const [what, answer, waitMs] of busy(service)) {
        it(`waits as long as it asks for: ${what}`, async () => {
          const { inMs, row } = await attempt(answer);
          expect({ inMs, status: row.status }).to.deep.equal({ inMs: waitMs, status: 'pending' });
        });
      }

      for (const [answer, reason] of gone(service)) {
        it(`is switched off after ${reason}`, async () => {
          const { row } = await attempt(answer);
          expect(row).to.include({ status: 'failed' });
          expect(row.lastError).to.include(reason);
          expect(await channelRow()).to.include({ isActive: false });
        });
      }

      for (const [answer, reason] of refused(service)) {
        it(`fails for good after ${reason}, and stays the owner's only channel`, async () => {
          const { row } = await attempt(answer);
          expect(row).to.include({ status: 'failed' });
          expect(row.lastError).to.include(reason);
          expect(await channelRow()).to.include({ isActive: true });
        });
      }
    });
  }
});

function deliver({ dataSource }: World, id: string) {
  const uses = { dataSource, channels: CHANNELS, secretBox, outbound, publicUrl: PUBLIC_URL };
  return createDeliverer({ ...uses, random: () => 0.5 })(id);
}

/** What went wrong, in the words of Discord and of Telegram. */
function both(reason: string) {
  return { message: reason, description: reason };
}

type Answer = (response: ServerResponse) => unknown;

function garbage({ kind }: ChatService): [string, Answer][] {
  const empty = kind === 'discord' ? '{"id":7}' : '{"ok":false}';
  return [
    ['a page instead of an answer', (response) => say(response, 200, '<html>sign in to this hotspot</html>')],
    ['an answer of another form', (response) => say(response, 200, empty)],
    ['an empty answer', (response) => response.writeHead(200).end()],
    ['a server error', (response) => say(response, 502, 'Bad Gateway')],
    ['a connection cut before the answer', (response) => response.destroy()],
    [
      'a connection cut within the answer',
      (response) => {
        response.writeHead(200, { 'Content-Length': '1000' });
        response.write('ok', () => response.destroy());
      },
    ],
  ];
}

function busy({ kind }: ChatService): [string, Answer, number][] {
  const header = { 'Retry-After': '30' };
  const page: [string, Answer, number] = [
    'a page with Retry-After',
    (response) => say(response, 429, '<html>error code: 1015</html>', header),
    30_000,
  ];
  if (kind === 'slack')
    return [page, ['rate_limited', (response) => say(response, 429, 'rate_limited', header), 30_000]];
  if (kind === 'discord') {
    const body = { message: 'You are being rate limited.', retry_after: 64.57, global: false };
    return [
      page,
      ['retry_after in seconds', (response) => say(response, 429, body), 64_570],
      ['the longer of both', (response) => say(response, 429, body, header), 64_570],
    ];
  }
  const body = {
    ok: false,
    error_code: 429,
    description: 'Too Many Requests',
    parameters: { retry_after: 35 },
  };
  return [page, ['retry_after in seconds', (response) => say(response, 429, body), 35_000]];
}

function gone({ kind }: ChatService): [Answer, string][] {
  if (kind === 'slack') {
    const words: [number, string][] = [
      [404, 'no_service'],
      [410, 'channel_is_archived'],
      [404, 'channel_not_found'],
      [403, 'invalid_token'],
    ];
    return words.map(([status, word]) => [(response) => say(response, status, word), word]);
  }
  if (kind === 'discord')
    return [
      [(response) => say(response, 404, { message: 'Unknown Webhook', code: 10015 }), 'Unknown Webhook'],
      [
        (response) => say(response, 401, { message: 'Invalid Webhook Token', code: 50027 }),
        'Invalid Webhook Token',
      ],
    ];
  const saying = (status: number, description: string): [Answer, string] => [
    (response) => say(response, status, { ok: false, error_code: status, description }),
    description,
  ];
  return [
    saying(403, 'Forbidden: bot was blocked by the user'),
    saying(403, 'Forbidden: bot was kicked from the group chat'),
    saying(401, 'Unauthorized'),
  ];
}

function refused({ kind, invalid }: ChatService): [Answer, string][] {
  if (kind === 'slack')
    return [
      [invalid, 'invalid_payload'],
      [(response) => say(response, 403, 'action_prohibited'), 'action_prohibited'],
      [(response) => say(response, 404, '<html>not here</html>'), '404'],
    ];
  if (kind === 'discord')
    return [
      [invalid, 'Invalid Form Body'],
      [
        (response) => say(response, 403, { message: 'Missing Permissions', code: 50013 }),
        'Missing Permissions',
      ],
    ];
  const description = 'Bad Request: chat not found';
  return [
    [(response) => say(response, 400, { ok: false, error_code: 400, description }), description],
    [(response) => say(response, 403, '<html>blocked by your firewall</html>'), '403'],
  ];
}

describe('addresses of chats', () => {
  const token = 'a'.repeat(24);
  const bot = `123456:${'A'.repeat(35)}`;
  const taken: [ChatService['kind'], string, string | null, string][] = [
    [
      'slack',
      `https://hooks.slack.com/services/T1/B2/${token}`,
      null,
      'https://hooks.slack.com/services/T1/B2',
    ],
    ['slack', 'https://hooks.slack.com/services/T1/B2/', token, 'https://hooks.slack.com/services/T1/B2'],
    ['discord', `https://discord.com/api/webhooks/1/${token}`, null, 'https://discord.com/api/webhooks/1'],
    [
      'discord',
      `https://discord.com/api/v10/webhooks/1/${token}?thread_id=7`,
      null,
      'https://discord.com/api/v10/webhooks/1?thread_id=7',
    ],
    ['telegram', 'https://api.telegram.org/-100123', bot, 'https://api.telegram.org/-100123'],
    ['telegram', 'https://api.telegram.org/@pit_crew', bot, 'https://api.telegram.org/@pit_crew'],
  ];
  for (const [kind, url, secret, open] of taken) {
    it(`of ${kind} are parted from their secret: ${url.slice(0, 50)}`, () => {
      const target = CHANNELS[kind]?.prepare({ url, secret });
      expect(target).to.deep.equal({ url: open, secret: kind === 'telegram' ? bot : token });
    });
  }

  const bad: [ChatService['kind'], string, string | null][] = [
    ['slack', 'https://hooks.slack.com/services/T1/B2', null],
    ['slack', `https://hooks.slack.com/services/T1/B2/${token}`, token],
    ['slack', 'https://hooks.slack.com/services/T1/B2', `${token}/..`],
    ['slack', 'https://hooks.slack.com/services/T1/B2', `${token}?x`],
    ['slack', 'https://hooks.slack.com/services/T1/B2', 'x'.repeat(201)],
    ['slack', 'no address', token],
    ['discord', `https://discord.com/api/webhooks/1/${token}/slack`, null],
    ['discord', `https://discord.com/channels/1/${token}`, null],
    ['discord', 'https://discord.com/api/webhooks/1', ''],
    ['telegram', `https://api.telegram.org/bot${bot}/sendMessage`, null],
    ['telegram', 'https://api.telegram.org/-100123', null],
    ['telegram', 'https://api.telegram.org/-100123', `${bot}/../x`],
    ['telegram', 'https://api.telegram.org/-100123', 'no token'],
    ['telegram', 'https://api.telegram.org/', bot],
    ['telegram', 'https://api.telegram.org/?chat_id=1', bot],
  ];
  for (const [kind, url, secret] of bad) {
    it(`of ${kind} are refused in words that hold no secret: ${url.slice(0, 50)} ${secret?.slice(0, 10) ?? ''}`, () => {
      const prepare = () => CHANNELS[kind]?.prepare({ url, secret });
      expect(prepare).to.throw(InputError, /^--(url|secret-stdin) /);
      expect(prepare).to.not.throw(new RegExp(`${token}|${bot}`));
    });
  }
});
