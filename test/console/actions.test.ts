import { expect } from 'chai';
import type { FastifyInstance } from 'fastify';
import { findToolOrSay } from '../../scripts/tools.js';
import { AlertManager } from '../../src/alerts/alert-manager.js';
import { AlertState } from '../../src/entities/alert-state.js';
import { TemperatureAlert } from '../../src/entities/temperature-alert.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { ChannelManager } from '../../src/notifications/channel-manager.js';
import { ntfy } from '../../src/notifications/ntfy.js';
import { createDeliverer } from '../../src/worker/deliver.js';
import { addAlert, addHome, job, MINUTE, T0 } from '../ingest/household.js';
import { startReceiver } from '../notifications/receiver.js';
import { outbound, secretBox } from '../notifications/world.js';
import { waitFor } from '../support/wait-for.js';
import { openBrowser } from './browser.js';
import { consoleOver, LINKS, openSources, type Sources } from './console.js';

const PUBLIC = 'https://grill.example.com';
/** What a browser says of a form of the page itself. */
const BUTTON = {
  method: 'POST',
  headers: {
    'content-type': 'application/x-www-form-urlencoded',
    'sec-fetch-site': 'same-origin',
    origin: PUBLIC,
  },
  payload: '',
} as const;

describe('links in messages', () => {
  let sources: Sources;
  let app: FastifyInstance;

  before(async () => {
    sources = await openSources();
    app = await consoleOver(sources, PUBLIC);
  });
  after(async () => {
    await app.close();
    await sources.close();
  });
  afterEach(() => sources.database.dataSource.query('TRUNCATE readings, users CASCADE'));

  /** An alert that fires, as its owner's phone is told of it. */
  async function fire() {
    const { dataSource } = sources.database;
    const home = await addHome(dataSource, { device: { nickname: 'Smoker' }, probes: [{ label: 'Left' }] });
    const receiver = await startReceiver();
    receiver.answer = (response) => response.end('{"id":"x"}');
    const channels = new ChannelManager(dataSource.manager, { channels: { ntfy }, secretBox, outbound });
    await channels.create({ userId: home.userId, kind: 'ntfy', url: `${receiver.url}/cook`, secret: null });
    const alertId = await addAlert(dataSource, home, {
      type: 'range',
      maxTemperature: 100,
      holdSeconds: 0,
      name: '<b>Pit</b>',
    });
    const ingest = createIngest({ dataSource });
    await ingest([job(home, [[T0, 90]])]);
    const { notificationIds } = await ingest([job(home, [[T0 + MINUTE, 120]])]);
    const deliver = createDeliverer({
      dataSource,
      channels: { ntfy },
      secretBox,
      outbound,
      publicUrl: PUBLIC,
      links: LINKS,
    });
    for (const id of notificationIds) await deliver(id);
    const [{ body } = { body: '{}' }] = receiver.received;
    await receiver.close();
    const { publicId } = await dataSource.manager.findOneByOrFail(TemperatureAlert, { id: alertId });
    const paths: string[] = JSON.parse(body).actions.map(({ url }: { url: string }) => new URL(url).pathname);
    const state = () => dataSource.manager.findOneByOrFail(AlertState, { alertId });
    const fireAgain = () =>
      ingest([
        job(
          home,
          [90, 90, 90, 90, 120].map((value, i) => [T0 + (2 + i) * MINUTE, value]),
        ),
      ]);
    return { fireAgain, acknowledge: paths[0] ?? '', snooze: paths[1] ?? '', publicId, state };
  }

  it('lead to a page with one button, which acknowledges; looking at it, as a scanner does, changes nothing', async () => {
    const { acknowledge, state } = await fire();
    for (const method of ['GET', 'HEAD', 'GET'] as const) {
      const { statusCode, body, headers } = await app.inject({ method, url: acknowledge });
      expect(statusCode).to.equal(200);
      expect(headers).to.include({ 'referrer-policy': 'same-origin', 'cache-control': 'no-store' });
      if (method === 'GET')
        expect(body)
          .to.include('&lt;b&gt;Pit')
          .and.match(
            /<h1>Smoker · Left: &lt;b&gt;Pit&lt;\/b&gt;<\/h1><form method="post"><button>Acknowledge</,
          );
    }
    expect((await state()).acknowledgedAt).to.equal(null);
    const done = await app.inject({ ...BUTTON, url: acknowledge });
    expect(done.statusCode).to.equal(200);
    for (const said of [
      '<h1>Acknowledged</h1>',
      'Smoker · Left',
      'not repeated while it goes on',
      'alert unack',
    ])
      expect(done.body).to.include(said);
    expect((await state()).acknowledgedAt).to.be.instanceOf(Date);
    expect((await state()).snoozedUntil).to.equal(null);
    const again = await app.inject({ ...BUTTON, url: acknowledge });
    expect(again.statusCode).to.equal(409);
    expect(again.body).to.include('Nothing was changed').and.include('done already');
  });

  it('say nothing of a later firing', async () => {
    const { acknowledge, state, fireAgain } = await fire();
    await fireAgain();
    const late = await app.inject({ ...BUTTON, url: acknowledge });
    expect([late.statusCode, late.body.includes('fired again since')]).to.deep.equal([409, true]);
    expect((await state()).acknowledgedAt).to.equal(null);
  });

  it('work in a browser, which says where a form comes from', async () => {
    const tool = await findToolOrSay('chromium');
    if (!tool) return;
    const { acknowledge, state } = await fire();
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const { browser, close } = await openBrowser(tool);
    try {
      const tab = await browser.newPage();
      await tab.goto(`${url}${acknowledge}`);
      await tab.getByRole('button', { name: 'Acknowledge' }).click();
      await waitFor(() => tab.getByText('Acknowledged').isVisible(), { timeoutMs: 20_000 });
    } finally {
      await close();
    }
    expect((await state()).acknowledgedAt).to.be.instanceOf(Date);
  });

  it('snooze, each for its own purpose', async () => {
    const { snooze, state } = await fire();
    expect((await app.inject({ url: snooze })).body).to.include('Snooze for 30 minutes');
    expect((await app.inject({ ...BUTTON, url: snooze })).statusCode).to.equal(200);
    const { snoozedUntil, acknowledgedAt } = await state();
    expect(acknowledgedAt).to.equal(null);
    expect(snoozedUntil?.getTime()).to.be.within(Date.now() + 28 * MINUTE, Date.now() + 31 * MINUTE);
  });

  it('are refused when altered, made up, too old, or asked for by another site; a deleted alert says so', async () => {
    const { acknowledge, publicId, state } = await fire();
    const [, , token = ''] = acknowledge.split('/');
    const [kid, text = '', signature = ''] = token.split('.');
    const other = Buffer.from(JSON.stringify(['snooze', publicId, publicId, Date.now() + MINUTE])).toString(
      'base64url',
    );
    const old = LINKS.sign({ action: 'ack', alertId: publicId, eventId: publicId, untilMs: Date.now() - 1 });
    const bad = [
      `${kid}.${other}.${signature}`,
      `${kid}.${text}.${signature.slice(0, -2)}AA`,
      `k2.${text}.${signature}`,
      `${kid}.${text}.`,
      `${kid}.${text}`,
      `${token}x`,
      old,
      'x',
      '%00',
      'A'.repeat(500),
    ];
    for (const wrong of bad)
      for (const method of ['GET', 'POST'] as const) {
        const asked = await app.inject({ ...BUTTON, method, url: `/actions/${wrong}` });
        expect([wrong, asked.statusCode]).to.deep.equal([wrong, 404]);
      }
    const foreign = { ...BUTTON.headers, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' };
    expect((await app.inject({ ...BUTTON, headers: foreign, url: acknowledge })).statusCode).to.equal(403);
    expect((await state()).acknowledgedAt).to.equal(null);
    const { dataSource } = sources.database;
    await dataSource.transaction((tx) => new AlertManager(tx).delete(publicId));
    expect((await app.inject({ url: acknowledge })).statusCode).to.equal(404);
    const gone = await app.inject({ ...BUTTON, url: acknowledge });
    expect([gone.statusCode, gone.body.includes('deleted')]).to.deep.equal([409, true]);
  });
});
