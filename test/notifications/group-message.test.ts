import { expect } from 'chai';
import { CHANNELS } from '../../src/notifications/channels.js';
import { calmLines } from '../../src/notifications/chat.js';
import { toOneMessage } from '../../src/notifications/group-message.js';
import type { Message } from '../../src/notifications/message.js';

const links = { acknowledge: 'https://grill.example.com/a', snooze: 'https://grill.example.com/s' };
const message = (title: string, given: Partial<Message> = {}): Message => ({
  ...{ type: 'alert.fired', severity: 'warning', title, text: 'it is hot', body: { id: title }, links },
  ...given,
});
const over = { type: 'alert.resolved', links: undefined } as const;

describe('toOneMessage', () => {
  it('leaves one as it is', () => {
    const one = message('Pit');
    expect(toOneMessage([one])).to.equal(one);
    expect(() => toOneMessage([])).to.throw();
  });

  it('lists what still fires, the worst first, then what is over, with the links of the only one that fires', () => {
    const one = toOneMessage([
      message('Pit', { ...over, severity: 'critical' }),
      message('Point', { severity: 'info' }),
      message('Pit', over),
    ]);
    expect(one).to.deep.equal({
      type: 'alert.fired',
      severity: 'info',
      title: '1 alert, 2 over: Point',
      text: 'Point: it is hot; Over – Pit: it is hot; Over – Pit: it is hot',
      lines: ['Point: it is hot', 'Over – Pit: it is hot', 'Over – Pit: it is hot'],
      body: { events: [{ id: 'Pit' }, { id: 'Point' }, { id: 'Pit' }] },
      links,
    });
    expect(calmLines(one, 500).split('\n')).to.have.lengthOf(3);
    const both = toOneMessage([message('Pit'), message('Fan'), message('Point', { severity: 'critical' })]);
    expect(both).to.not.have.property('links');
    expect(both.actions?.map(({ label }) => label)).to.deep.equal([
      ...[
        'Acknowledge Point',
        'Acknowledge Pit',
        'Acknowledge Fan',
        'Snooze Point',
        'Snooze Pit',
        'Snooze Fan',
      ],
    ]);
    expect(both).to.include({ severity: 'critical', title: '3 alerts: Point, Pit, Fan' });
    expect(both.lines?.[0]).to.equal('Point: it is hot');
    const none = toOneMessage([message('Pit', over), message('Point', { ...over, severity: 'critical' })]);
    expect(none).to.include({ type: 'alert.resolved', severity: 'info', title: '2 over: Pit, Point' });
  });

  it('takes a firing for over whose end is listed too, and counts each alert once', () => {
    const pit = { about: 'pit high' };
    const fired = message('Pit', { ...pit, severity: 'critical' });
    const end = message('Pit', { ...pit, ...over, severity: 'critical' });
    const low = message('Low', { about: 'pit low' });
    const one = toOneMessage([fired, end, low]);
    expect(one).to.include({ severity: 'warning', title: '1 alert, 1 over: Low' });
    expect(one).to.deep.include({ links });
    expect(one.lines).to.deep.equal(['Low: it is hot', 'Pit: it is hot', 'Over – Pit: it is hot']);
    const again = toOneMessage([end, low, fired, message('Pit', { ...pit, type: 'alert.repeated' })]);
    expect(again).to.include({ severity: 'critical', title: '2 alerts, 1 over: Pit, Low' });
    expect(toOneMessage([fired, end])).to.include({ type: 'alert.resolved', title: '1 over: Pit' });
  });

  it('links what still fires, the worst three, each once, beside as many lines as there is room for', () => {
    const base = `https://grill.example.com/${'x'.repeat(230)}`;
    const many = Array.from({ length: 5 }, (_, n) =>
      message(`<!everyone> *Pit* ${n}`, {
        ...{ about: `${n} high`, text: 'ü'.repeat(200), severity: n === 4 ? 'critical' : 'warning' },
        links: { acknowledge: `${base}a${n}`, snooze: `${base}s${n}` },
      }),
    );
    const again = message('Again', {
      about: '0 high',
      links: { acknowledge: `${base}A`, snooze: `${base}S` },
    });
    const one = toOneMessage([...many, again]);
    const urls = one.actions?.map(({ url }) => url.slice(base.length));
    expect(urls).to.deep.equal(['a4', 'A', 'a1', 's4', 'S', 's1']);
    for (const kind of ['slack', 'discord', 'telegram', 'ntfy'] as const) {
      const url = kind === 'telegram' ? 'https://api.telegram.org/-1001' : 'https://example.com/topic';
      const body = CHANNELS[kind]?.render(one, { url, secret: 'x' }, 'https://grill.example.com') ?? '';
      expect(body, kind).to.include(`${base}a4`);
      expect(body.includes(`${base}S`), kind).to.equal(kind !== 'ntfy');
      if (kind === 'slack') expect(body).to.not.include('<!everyone>');
      if (kind === 'telegram') expect(JSON.parse(body).text.length).to.be.below(4_096);
      if (kind === 'discord') expect(JSON.parse(body).embeds[0].description.length).to.be.below(4_096);
    }
    expect(one.lines?.at(-1)).to.match(/^and \d more$/);
  });

  it('says what the owner wrote at the end: of the one message, or of its line', () => {
    const one = message('Pit', { advice: 'turn the @fire <down>' });
    expect(calmLines(toOneMessage([one]), 500)).to.equal('it is hot\nturn the @\u200bfire <down>');
    expect(toOneMessage([one, message('Point')]).lines?.[0]).to.equal(
      'Pit: it is hot – turn the @fire <down>',
    );
    const urls = {
      slack: 'https://hooks.slack.com/services/T/B',
      discord: 'https://discord.com/api/webhooks/1',
      telegram: 'https://api.telegram.org/1',
      ntfy: 'https://ntfy.sh/cook',
    };
    for (const kind of ['slack', 'discord', 'telegram', 'ntfy'] as const)
      expect(CHANNELS[kind]?.render(one, { url: urls[kind], secret: 's' })).to.match(/it is hot\\nturn the /);
    const hard = message('Pit', { text: `${'&'.repeat(200)}${'x'.repeat(200)}`, advice: '&'.repeat(300) });
    const rendered = CHANNELS.slack?.render(hard, { url: urls.slack, secret: 's' }) ?? '';
    expect(JSON.parse(rendered).attachments[0].blocks[0].text.text).to.have.length.below(3_000);
  });

  it('fits into a message of each service, however many and however long', () => {
    const many = Array.from({ length: 50 }, (_, index) => message(`${index} ${'x'.repeat(300)}`));
    const { lines, title } = toOneMessage(many);
    expect(lines).to.have.lengthOf(11);
    expect(lines?.at(-1)).to.equal('and 40 more');
    expect(lines?.join('\n')).to.have.length.below(3_000);
    expect(title).to.match(/^50 alerts: 0 x+, 1 x+, 2 x+, …$/);
  });

  it('fits into them whatever the names are made of', () => {
    for (const sign of ['&', '<', '_', '(', '@a', '🔥', '火']) {
      const name = sign.repeat(100 / sign.length);
      const many = Array.from({ length: 12 }, () => message(name, { text: `${name} is 280 °F` }));
      const one = toOneMessage(many);
      const render = (kind: 'slack' | 'discord' | 'telegram' | 'ntfy', url: string) =>
        CHANNELS[kind]?.render(one, { url, secret: 's' }) ?? '';
      const [slack, discord, telegram, push] = [
        render('slack', 'https://hooks.slack.com/services/T/B'),
        render('discord', 'https://discord.com/api/webhooks/1'),
        render('telegram', 'https://api.telegram.org/1'),
        render('ntfy', 'https://ntfy.sh/cook'),
      ].map((rendered) => JSON.parse(rendered));
      expect(slack.attachments[0].blocks[0].text.text).to.have.length.below(3_000);
      expect(discord.embeds[0].description).to.have.length.below(4_096);
      expect(telegram.text).to.have.length.below(4_096);
      expect(Buffer.byteLength(push.message)).to.be.below(4_096);
      expect(one.lines?.at(-1)).to.match(/^and \d+ more$/);
    }
  });
});
