import { expect } from 'chai';
import { v4 } from 'uuid';
import { NotificationAttempt } from '../../src/entities/notification-attempt.js';
import { NotificationChannel } from '../../src/entities/notification-channel.js';
import { InputError } from '../../src/errors.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { CHANNELS, createChannels } from '../../src/notifications/channels.js';
import { type Chart, createChartReader, type ReadChart } from '../../src/notifications/chart.js';
import { DeliveryError } from '../../src/notifications/delivery-error.js';
import { createEmail } from '../../src/notifications/email.js';
import type { Message } from '../../src/notifications/message.js';
import { parseSmtpUrl, type SmtpSettings } from '../../src/notifications/smtp-url.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { waitFor } from '../support/wait-for.js';
import { type MailServer, startMailServer, startOddServer } from './mail-server.js';
import {
  addNotification,
  FIRED_AT,
  getNotification,
  outbound,
  secretBox,
  startWorld,
  type World,
} from './world.js';

const NOTIFICATION = '0199a1c2-0000-7000-8000-000000000001';
const EVIL =
  'a\r\nBcc: victim@example.com\r\n\r\n<img src=x onerror=alert(1)>\0\u202e 🔥 "quoted" <!channel> {{x}}';
const message: Message = {
  type: 'alert.fired',
  severity: 'warning',
  title: 'Brisket done',
  text: 'Point is 203.2 °F, at or above 203 °F since 2026-11-21 20:59 UTC',
  body: {},
};
const chart: Chart = { unit: 'F', min: 180.1, max: 203.2, columns: [null, 180.1, 191.65, 203.2] };
const target = { url: 'mailto:cook@example.com', secret: null };

const settings = (port: number, user = ''): SmtpSettings => {
  const parsed = parseSmtpUrl(`smtp://${user}127.0.0.1:${port}/?from=grill@example.com`);
  if (!parsed) throw new Error('no settings');
  return parsed;
};
const through = (port: number, change: Partial<Parameters<typeof createEmail>[0]> = {}) =>
  createEmail({ smtp: settings(port), readChart: async () => undefined, timeoutMs: 30_000, ...change });
/** One attempt. */
async function send(
  port: number,
  said: Message = message,
  { signal, ...change }: Partial<Parameters<typeof createEmail>[0]> & { signal?: AbortSignal } = {},
) {
  const email = through(port, change);
  const rendered = email.render(said, target, 'https://grill.example.com');
  return email.send(target, rendered, { outbound, notificationId: NOTIFICATION, at: new Date(), signal });
}
const failureOf = async (attempt: Promise<unknown>): Promise<DeliveryError> => {
  const error: unknown = await attempt.then(
    () => 'it was delivered',
    (reason: unknown) => reason,
  );
  if (error instanceof DeliveryError) return error;
  throw new Error('no DeliveryError', { cause: error });
};

describe('email', () => {
  let server: MailServer;

  before(async () => {
    server = await startMailServer();
  });
  beforeEach(() => {
    server.arrived.length = 0;
    server.refusals = {};
  });
  after(() => server.close());

  const only = () => {
    expect(server.arrived).to.have.lengthOf(1);
    const [first] = server.arrived;
    if (!first) throw new Error('nothing arrived');
    return first;
  };
  const headers = () =>
    Object.fromEntries(only().mail.headers.map(({ key, value }) => [key, value] as const));

  describe('a message', () => {
    it('arrives as text and HTML, from the operator’s address, marked as written by a machine', async () => {
      const receipt = await send(server.port, message, { readChart: async () => chart });
      expect(receipt).to.deep.equal({ statusCode: 250, receipt: '250 2.0.0 queued as 1' });
      const { mail, sender, recipients } = only();
      expect({ sender, recipients }).to.deep.equal({
        sender: 'grill@example.com',
        recipients: ['cook@example.com'],
      });
      expect(mail.subject).to.equal('Brisket done');
      expect(mail.messageId).to.equal(`<${NOTIFICATION}@example.com>`);
      expect(headers()).to.include({ 'auto-submitted': 'auto-generated' });
      expect(headers()['content-type']).to.match(/^multipart\/alternative/);
      expect(mail.text?.trim().split(/\r?\n/)).to.deep.equal([
        message.text,
        '',
        ' ▁▅█',
        'The last two hours: 180.1 °F to 203.2 °F',
        '',
        'https://grill.example.com',
      ]);
      expect(mail.html).to.include(message.text).and.include('<a href="https://grill.example.com">');
    });

    it('ends with what the owner wrote, as text alone', async () => {
      await send(server.port, { ...message, advice: 'turn <b>it</b> down' });
      const { mail } = only();
      expect(mail.text).to.include(`${message.text}\nturn <b>it</b> down\n`);
      expect(mail.html).to.include('>turn &lt;b&gt;it&lt;/b&gt; down</p>');
    });

    it('shows what one can do about it', async () => {
      const links = {
        acknowledge: 'https://grill.example.com/actions/a',
        snooze: 'https://grill.example.com/actions/b',
      };
      await send(server.port, { ...message, links });
      const { mail } = only();
      expect(mail.text)
        .to.include(`Acknowledge: ${links.acknowledge}`)
        .and.include(`Snooze: ${links.snooze}`);
      expect(mail.html).to.include(`<a href="${links.acknowledge}">Acknowledge</a>`);
    });

    it('draws the chart of cells that every mail program shows: nothing is fetched, scripted or attached', async () => {
      await send(server.port, message, { readChart: async () => chart });
      const { html = '', attachments } = only().mail;
      const heights = [...html.matchAll(/<td height="(\d+)" bgcolor="#c2410c"/g)].map(([, height]) =>
        Number(height),
      );
      expect(heights).to.deep.equal([4, 34, 64]);
      expect(html).to.not.match(/<(svg|img|script|link|iframe|style)\b|url\(|src=/i);
      expect(attachments).to.deep.equal([]);
    });

    const charts: Record<string, ReadChart> = {
      'has no chart': async () => undefined,
      'has a chart that cannot be read': () => Promise.reject(new Error('the database is gone')),
      'has a chart that is not read in time': () => new Promise<undefined>(() => undefined),
    };
    for (const [what, readChart] of Object.entries(charts))
      it(`arrives all the same if it ${what}`, async () => {
        await send(server.port, message, { readChart });
        expect(only().mail.text?.trim()).to.equal(`${message.text}\n\nhttps://grill.example.com`);
        expect(only().mail.html).to.include(message.text).and.not.include('bgcolor');
      });

    it('draws equal readings half way up, and humidity in its own unit', async () => {
      const flat: Chart = { unit: 'H', min: 40, max: 40, columns: [40, null, 40] };
      await send(server.port, message, { readChart: async () => flat });
      expect(only().mail.text).to.include('▅ ▅').and.include('40 % RH to 40 % RH');
    });

    it('keeps whatever a label holds inside one subject and as text: no header, no recipient, no markup', async () => {
      await send(server.port, { ...message, title: EVIL, text: `${EVIL}${'x'.repeat(100_000)}` });
      const { mail, raw, recipients } = only();
      expect(recipients).to.deep.equal(['cook@example.com']);
      expect(Object.keys(headers())).to.have.members(
        'from to subject message-id date mime-version content-type auto-submitted'.split(' '),
      );
      expect(mail.subject).to.match(
        /^a Bcc: victim@example\.com <img src=x onerror=alert\(1\)> +🔥 "quoted"/,
      );
      expect([...(mail.subject ?? '')]).to.have.length.at.most(100);
      expect(mail.html)
        .to.include('&lt;img src=x onerror=alert(1)&gt;')
        .and.not.match(/<img|\u202e|\0/);
      expect(raw).to.have.length.below(10_000);
      for (const line of raw.split('\r\n')) expect(line).to.have.length.at.most(998);
    });

    it('signs in where the server asks for it', async () => {
      const guarded = await startMailServer({ password: true });
      try {
        await send(guarded.port, message, { smtp: settings(guarded.port, 'cook:secret%2F%40@') });
        expect(guarded.arrived).to.have.lengthOf(1);
      } finally {
        await guarded.close();
      }
    });
  });

  describe('a failure', () => {
    const answers: [Parameters<typeof refuse>[0], number, string, DeliveryError['fate'], RegExp][] = [
      ['RCPT', 451, '4.7.1 Greylisted', 'retry', /says later: 451 4\.7\.1 Greylisted/],
      ['RCPT', 452, '4.2.2 Mailbox full', 'retry', /says later/],
      ['RCPT', 550, '5.1.1 Unknown mailbox', 'gone', /^the address is refused: 550 5\.1\.1 Unknown mailbox/],
      ['RCPT', 550, '5.2.1 Mailbox disabled', 'gone', /address is refused/],
      ['RCPT', 550, '5.7.1 Relaying denied', 'permanent', /address is refused/],
      ['RCPT', 550, 'no such user', 'permanent', /address is refused/],
      ['MAIL', 530, '5.7.0 Authentication required', 'retry', /the sign-in, see SMTP_URL/],
      ['MAIL', 553, '5.7.1 Sender refused', 'retry', /SMTP_URL/],
      ['DATA', 451, '4.3.0 Try later', 'retry', /says later/],
      ['DATA', 554, '5.6.0 Content refused', 'permanent', /^the message is refused: 554/],
    ];
    const refuse = (stage: keyof MailServer['refusals'], code: number, text: string) => {
      server.refusals = { [stage]: { code, text } };
    };
    for (const [stage, code, text, fate, pattern] of answers)
      it(`${code} ${text} at ${stage} means ${fate}`, async () => {
        refuse(stage, code, text);
        const failure = await failureOf(send(server.port));
        expect(failure).to.include({ fate, statusCode: code });
        expect(failure.message).to.match(pattern);
        expect(server.arrived).to.deep.equal([]);
      });

    it('of the sign-in is the operator’s: it names SMTP_URL, shows no password, and is tried again', async () => {
      const guarded = await startMailServer({ password: true });
      try {
        const smtp = settings(guarded.port, 'cook:wrong-password@');
        const failure = await failureOf(send(guarded.port, message, { smtp }));
        expect(failure).to.include({ fate: 'retry', statusCode: 535 });
        expect(failure.message)
          .to.match(/^the mail server refuses the sign-in, see SMTP_URL: 535/)
          .and.not.include('wrong');
      } finally {
        await guarded.close();
      }
    });

    const polite = (line: string) =>
      line === '' ? '220 odd\r\n' : line === 'DATA' ? '354 go\r\n' : '250 ok\r\n';
    /** Takes the message, and answers to its end as told. */
    const untilTheEnd = (answer: string | undefined | null) => {
      let isMessage = false;
      return (line: string) => {
        if (line === '.') return answer;
        if (isMessage) return undefined;
        isMessage = line === 'DATA';
        return polite(line);
      };
    };
    const odd: Record<string, (line: string) => string | undefined | null> = {
      'hangs up at once': () => null,
      'is no mail server': () => 'HTTP/1.1 400 Bad Request\r\n\r\n\u001b[31m<html>\r\n',
      'refuses everybody': () => '554 5.3.2 No service\r\n',
      'hangs up in the middle': (line) => (line.startsWith('RCPT') ? null : polite(line)),
      'answers garbage': (line) => (line.startsWith('RCPT') ? '\0\u001b]0;x\u0007 what?\r\n' : polite(line)),
      'dies before its answer': untilTheEnd(null),
    };
    for (const [what, answer] of Object.entries(odd))
      it(`of a server that ${what} is tried again`, async () => {
        const other = await startOddServer(answer);
        try {
          const failure = await failureOf(send(other.port));
          expect(failure.fate).to.equal('retry');
          expect(failure.message).to.match(/^[^\p{Cc}]{10,}$/u);
        } finally {
          await other.close();
        }
      });

    it('of a server whose certificate nobody vouches for is tried again: nothing is said to it', async () => {
      const secured = await startMailServer({ secure: true });
      try {
        const smtp = { ...settings(secured.port), secure: true };
        const failure = await failureOf(send(secured.port, message, { smtp }));
        expect(failure.fate).to.equal('retry');
        expect(failure.message).to.match(/certificate/);
        expect(secured.arrived).to.deep.equal([]);
      } finally {
        await secured.close();
      }
    });

    it('of a server that is not there is tried again', async () => {
      const other = await startOddServer(() => null);
      await other.close();
      expect(await failureOf(send(other.port))).to.include({ fate: 'retry', statusCode: null });
    });

    it('of a server that never answers ends at the time limit, and its connection with it', async () => {
      const other = await startOddServer(untilTheEnd(undefined));
      try {
        const failure = await failureOf(send(other.port, message, { timeoutMs: 500 }));
        expect(failure).to.include({
          fate: 'retry',
          message: 'the mail server did not finish within 500 ms',
        });
      } finally {
        await other.close();
      }
    });

    it('is the signal’s own reason when that ends the attempt', async () => {
      const other = await startOddServer(untilTheEnd(undefined));
      const controller = new AbortController();
      try {
        const attempt = send(other.port, message, { signal: controller.signal }).catch(
          (error: unknown) => error,
        );
        await waitFor(() => other.lines.includes('.'), { what: 'the end of the message' });
        controller.abort();
        expect(await attempt)
          .to.be.instanceOf(Error)
          .and.not.instanceOf(DeliveryError);
      } finally {
        await other.close();
      }
    });
  });

  describe('an address', () => {
    const { prepare } = through(9);

    for (const url of ['cook@example.com', 'mailto:cook@example.com', 'MAILTO:cook@example.com'])
      it(`may be written as ${url}`, () => {
        expect(prepare({ url, secret: null })).to.deep.equal(target);
      });

    for (const url of [
      '',
      'mailto:',
      'cook',
      'https://example.com',
      'mailto:a@example.com,b@example.com',
      'mailto:a@example.com?bcc=b@example.com',
      'a@example.com\r\nRCPT TO:<b@example.com>',
      '"Cook" <cook@example.com>',
      'cook@example.com\0',
      `${'x'.repeat(250)}@example.com`,
    ])
      it(`may not be ${JSON.stringify(url).slice(0, 50)}`, () => {
        expect(() => prepare({ url, secret: null })).to.throw(InputError, 'e-mail address');
      });

    it('takes no secret', () => {
      expect(() => prepare({ url: 'cook@example.com', secret: 'x' })).to.throw(InputError, 'SMTP_URL');
    });
  });

  describe('SMTP_URL', () => {
    it('holds the server, the sign-in and the sender', () => {
      expect(parseSmtpUrl('smtps://cook%40example.com:p%2Fw@mail.example.com')).to.deep.equal({
        host: 'mail.example.com',
        port: 465,
        secure: true,
        auth: { user: 'cook@example.com', pass: 'p/w' },
        from: 'cook@example.com',
      });
      expect(parseSmtpUrl('smtp://[::1]/?from=grill@example.com')).to.deep.equal({
        host: '::1',
        port: 587,
        secure: false,
        from: 'grill@example.com',
      });
    });

    for (const url of [
      'mail.example.com',
      'http://mail.example.com/?from=a@example.com',
      'smtp://mail.example.com',
      'smtp://user:password@mail.example.com',
      'smtp://mail.example.com/?from=a',
      'smtp://mail.example.com/?from=a@example.com&pool=true',
      'smtp://mail.example.com/inbox?from=a@example.com',
      'smtp://%E0%A4%A@mail.example.com/?from=a@example.com',
    ])
      it(`may not be ${url}`, () => {
        expect(parseSmtpUrl(url)).to.equal(undefined);
      });
  });

  describe('delivery', () => {
    let world: World;

    before(async () => {
      world = await startWorld();
    });
    afterEach(() => world.dataSource.manager.deleteAll(NotificationChannel));
    after(() => world.close());

    const manager = (channels = createChannels({ smtp: settings(server.port), readChart: read })) =>
      new ChannelManager(world.dataSource.manager, { channels, secretBox, outbound });
    const read = (id: string) => createChartReader(world.dataSource.manager)(id);
    const add = (url = 'cook@example.com') =>
      manager().create({ userId: world.user.id, kind: 'email', url, secret: null });
    const deliverer = (channels = createChannels({ smtp: settings(server.port), readChart: read })) =>
      createDeliverer({ dataSource: world.dataSource, channels, secretBox, outbound, random: () => 0.5 });
    const row = (id: string) => getNotification(world.dataSource, id);
    const makeDue = (id: string) =>
      world.dataSource.query('UPDATE notifications SET next_attempt_at = now() WHERE id = $1', [id]);

    it('needs SMTP_URL, and says so', async () => {
      const created = manager(CHANNELS).create({
        userId: world.user.id,
        kind: 'email',
        url: 'cook@example.com',
        secret: null,
      });
      expect(await created.catch((error: unknown) => error))
        .to.be.instanceOf(InputError)
        .with.property('message', '--kind email needs SMTP_URL, which is not set');
    });

    it('waits while SMTP_URL is missing, and goes on when it is there again', async () => {
      const id = await addNotification(world, (await add()).id);
      expect(await deliverer(CHANNELS)(id)).to.deep.equal({ id, inMs: 2_000 });
      expect((await row(id)).lastError).to.equal('email needs SMTP_URL, which is not set');
      await makeDue(id);
      await deliverer()(id);
      expect(await row(id)).to.include({ status: 'delivered' });
    });

    it('shows the address, and leaves the receipt', async () => {
      const { id: channelId, config } = await add();
      expect(config).to.deep.equal({ url: 'mailto:cook@example.com' });
      const id = await addNotification(world, channelId);
      await deliverer()(id);
      const attempts = { where: { notificationId: id } };
      const [attempt] = await world.dataSource.manager.find(NotificationAttempt, attempts);
      expect(attempt).to.include({ outcome: 'delivered', statusCode: 250, receipt: '250 2.0.0 queued as 1' });
    });

    it('gets through a greylist, and what comes twice is the same message', async () => {
      const id = await addNotification(world, (await add()).id);
      const deliver = deliverer();
      server.refusals = { RCPT: { code: 451, text: '4.7.1 Greylisted' } };
      expect(await deliver(id)).to.deep.equal({ id, inMs: 2_000 });
      server.refusals = {};
      await makeDue(id);
      await deliver(id);
      expect(await row(id)).to.include({ status: 'delivered', attempts: 2 });
      // As after a crash between the server's answer and our note of it.
      await world.dataSource.query("UPDATE notifications SET status = 'pending' WHERE id = $1", [id]);
      await makeDue(id);
      await deliver(id);
      const [first, second] = server.arrived;
      expect(server.arrived).to.have.lengthOf(2);
      expect(first?.mail.messageId).to.equal(`<${id}@example.com>`);
      expect(second?.mail.messageId).to.equal(first?.mail.messageId);
      expect([second?.mail.text, second?.mail.html]).to.deep.equal([first?.mail.text, first?.mail.html]);
    });

    it('switches the channel off when the mailbox is not there', async () => {
      const { id: channelId } = await add();
      server.refusals = { RCPT: { code: 550, text: '5.1.1 Unknown mailbox' } };
      const id = await addNotification(world, channelId);
      expect(await deliverer()(id)).to.equal(undefined);
      expect(await row(id)).to.include({ status: 'failed', attempts: 1 });
      const channel = await world.dataSource.manager.findOneByOrFail(NotificationChannel, {
        publicId: channelId,
      });
      expect(channel).to.include({ isActive: false });
      expect(channel.lastError).to.include('5.1.1 Unknown mailbox');
    });

    it('draws the two hours up to the event: its probe’s readings in its unit, and no later ones', async () => {
      const at = (seconds: number) => new Date(FIRED_AT.getTime() - 1000 * seconds);
      const probes: { id: number; probeId: string }[] = await world.dataSource.query(
        'SELECT id, probe_id AS "probeId" FROM probes',
      );
      const ids = new Map(probes.map(({ id, probeId }) => [probeId, id]));
      const readings: [string, Date, number, string][] = [
        ['1', at(-1), 500, 'F'],
        ['1', at(0), 203.25, 'F'],
        ['1', at(149), 201.25, 'F'],
        ['1', at(150), 190.5, 'F'],
        ['1', at(400), 90, 'C'],
        ['1', at(7_199), 100.5, 'F'],
        ['1', at(7_200), 10, 'F'],
        ['2', at(60), 300, 'F'],
      ];
      for (const [probeId, measuredAt, value, unit] of readings)
        await world.dataSource.query(
          'INSERT INTO readings (probe_id, measured_at, value, unit) VALUES ($1, $2, $3, $4)',
          [ids.get(probeId), measuredAt, value, unit],
        );
      const id = await addNotification(world, (await add()).id);
      const columns = Array.from({ length: 48 }, () => null);
      expect(await read(id)).to.deep.equal({
        unit: 'F',
        min: 100.5,
        max: 203.25,
        columns: [100.5, ...columns.slice(3), 190.5, 202.25],
      });
      await deliverer()(id);
      expect(only().mail.text).to.include('The last two hours: 100.5 °F to 203.25 °F');
      expect(await read(v4())).to.equal(undefined);
    });
  });
});
