import { createServer } from 'node:net';
import { expect } from 'chai';
import { Webhook } from 'standardwebhooks';
import { InputError } from '../../src/errors.js';
import type { Message } from '../../src/notifications/message.js';
import { ntfy } from '../../src/notifications/ntfy.js';
import { createOutbound } from '../../src/notifications/outbound.js';
import { webhook } from '../../src/notifications/webhook.js';
import { type Receiver, startReceiver } from './receiver.js';

const EVIL = 'a\r\nX-Evil: 1\r\n\r\n<script>alert(1)</script>\0\u202e 🔥 <!channel> "\\';
const message: Message = {
  type: 'alert.fired',
  severity: 'warning',
  title: 'Brisket done',
  text: 'Point is 203.2 °F',
  body: { type: 'alert.fired', alert: { name: 'Brisket done' } },
};
const evil = { ...message, title: EVIL, text: EVIL, body: { label: EVIL } };

describe('channels', () => {
  const outbound = createOutbound({ allowPrivate: true });
  /** Attempted now: a verifier refuses what was signed minutes ago. */
  const context = {
    outbound,
    notificationId: '0199a1c2-0000-7000-8000-000000000001',
    get at() {
      return new Date();
    },
  };
  let receiver: Receiver;

  before(async () => {
    receiver = await startReceiver();
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.answer = (response) => response.writeHead(200).end('{"id":"hwQ2YpKdmg","time":1}');
  });
  after(() => receiver.close());

  describe('webhook', () => {
    it('makes a secret of 32 bytes, another each time', () => {
      const secrets = [1, 2].map(
        () => webhook.prepare({ url: 'https://x.example/', secret: null }).secret ?? '',
      );
      for (const secret of secrets) expect(Buffer.from(secret.slice(6), 'base64')).to.have.lengthOf(32);
      expect(secrets[0])
        .to.match(/^whsec_/)
        .and.not.equal(secrets[1]);
    });

    for (const bytes of [24, 25, 26, 63, 64]) {
      it(`takes a secret of ${bytes} bytes, with or without prefix and padding`, () => {
        const base64 = Buffer.alloc(bytes, 0xfb).toString('base64');
        for (const secret of [base64, `whsec_${base64}`, ` whsec_${base64.replace(/=+$/, '')}\n`]) {
          expect(webhook.prepare({ url: 'https://x.example/', secret }).secret).to.equal(`whsec_${base64}`);
        }
      });
    }

    const short = Buffer.alloc(23).toString('base64');
    for (const secret of [
      '',
      'whsec_',
      short,
      Buffer.alloc(65).toString('base64'),
      'not base64 at all, not at all!!!!!',
      'x'.repeat(33),
    ]) {
      it(`refuses the secret ${JSON.stringify(secret.slice(0, 20))} of ${secret.length} characters`, () => {
        expect(() => webhook.prepare({ url: 'https://x.example/', secret })).to.throw(InputError);
      });
    }

    it('signs so that the standard’s own verifier accepts it, and nothing altered', async () => {
      const target = webhook.prepare({ url: `${receiver.url}/in?x=1`, secret: null });
      const receipt = await webhook.send(target, webhook.render(evil, target), context);
      expect(receipt).to.deep.equal({ statusCode: 200, receipt: null });
      const [{ headers, body, path, method } = { headers: {}, body: '', path: '', method: '' }] =
        receiver.received;
      expect({ path, method }).to.deep.equal({ path: '/in?x=1', method: 'POST' });
      expect(headers).to.include({
        'content-type': 'application/json',
        'webhook-id': context.notificationId,
      });
      const verifier = new Webhook(target.secret ?? '');
      expect(verifier.verify(body, headers)).to.deep.equal({ label: EVIL, summary: `${EVIL}: ${EVIL}` });
      expect(body).to.not.include('<').and.not.include('\n');
      expect(() => verifier.verify(`${body} `, headers)).to.throw();
      const forged: Record<string, string>[] = [{ 'webhook-id': 'other' }, { 'webhook-timestamp': '1' }];
      for (const change of forged) expect(() => verifier.verify(body, { ...headers, ...change })).to.throw();
      const other = webhook.prepare({ url: 'https://x.example/', secret: null }).secret ?? '';
      expect(() => new Webhook(other).verify(body, headers)).to.throw();
    });
  });

  describe('ntfy', () => {
    const topic = () => `${receiver.url}/cook-42_A`;

    it('publishes JSON to the server’s root, with the token in a header', async () => {
      const target = ntfy.prepare({ url: topic(), secret: 'tk_secret' });
      const rendered = ntfy.render(message, target, 'https://grill.example.com');
      expect(await ntfy.send(target, rendered, context)).to.deep.equal({
        statusCode: 200,
        receipt: 'hwQ2YpKdmg',
      });
      const [{ headers, body, path } = { headers: {}, body: '{}', path: '' }] = receiver.received;
      expect(path).to.equal('/');
      expect(headers).to.include({ authorization: 'Bearer tk_secret' });
      expect(JSON.parse(body)).to.deep.equal({
        topic: 'cook-42_A',
        title: 'Brisket done',
        message: 'Point is 203.2 °F',
        priority: 4,
        tags: ['thermometer'],
        click: 'https://grill.example.com',
      });
    });

    it('goes without token and link, and under a path', async () => {
      const target = ntfy.prepare({ url: `${receiver.url}/push/cook/`, secret: null });
      await ntfy.send(target, ntfy.render(message, target), context);
      const [{ headers, body, path } = { headers: {}, body: '{}', path: '' }] = receiver.received;
      expect(path).to.equal('/push/');
      expect(headers).to.not.have.any.keys('authorization');
      expect(JSON.parse(body)).to.include({ topic: 'cook' }).and.not.have.any.keys('click');
    });

    const looks: [Partial<Message>, number, string][] = [
      [{ severity: 'info' }, 3, 'thermometer'],
      [{ severity: 'critical' }, 5, 'rotating_light'],
      [{ severity: 'critical', type: 'alert.resolved' }, 3, 'white_check_mark'],
    ];
    for (const [change, priority, tag] of looks) {
      it(`shows ${change.type ?? message.type}, ${change.severity}, with priority ${priority} and ${tag}`, () => {
        const rendered = ntfy.render({ ...message, ...change }, { url: topic(), secret: null });
        expect(JSON.parse(rendered)).to.deep.include({ priority, tags: [tag] });
      });
    }

    it('keeps whatever a label holds inside one message, seen on the wire', async () => {
      const chunks: string[] = [];
      const raw = createServer((socket) => {
        socket.on('data', (data) => {
          chunks.push(data.toString());
          if (chunks.join('').endsWith('}'))
            socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        });
      });
      await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
      const address = raw.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      const target = ntfy.prepare({ url: `http://127.0.0.1:${port}/cook`, secret: null });
      await ntfy.send(target, ntfy.render(evil, target), context);
      await new Promise((resolve) => raw.close(resolve));
      const [head = '', body = '', ...more] = chunks.join('').split('\r\n\r\n');
      expect(head.split('\r\n').filter((line) => /evil/i.test(line))).to.deep.equal([]);
      expect(more).to.deep.equal([]);
      expect(JSON.parse(body)).to.include({ title: EVIL, message: EVIL });
    });

    const bad = [
      'https://ntfy.example.com',
      'https://ntfy.example.com/',
      'https://ntfy.example.com/a b',
      'https://x',
    ];
    for (const url of [
      ...bad,
      'https://ntfy.example.com/t?auth=1',
      `https://ntfy.example.com/${'x'.repeat(65)}`,
    ]) {
      it(`refuses ${url.slice(0, 40)}: no topic`, () => {
        expect(() => ntfy.prepare({ url, secret: null })).to.throw(InputError, 'topic');
      });
    }

    for (const secret of ['a\r\nX-Evil: 1', 'a\0', 'ä', '', 'a b', 'x'.repeat(201)]) {
      it(`refuses the token ${JSON.stringify(secret.slice(0, 20))}`, () => {
        expect(() => ntfy.prepare({ url: topic(), secret })).to.throw(InputError, 'token');
      });
    }
  });
});
