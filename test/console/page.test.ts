import { expect } from 'chai';
import type { FastifyInstance } from 'fastify';
import { findToolOrSay } from '../../scripts/tools.js';
import { waitFor } from '../support/wait-for.js';
import { openBrowser } from './browser.js';
import { BEARER, consoleOver, openSources, type Sources } from './console.js';
import { addProbe, insert, seedKitchen } from './cook.js';

describe('the live page', () => {
  let sources: Sources;
  let app: FastifyInstance;

  beforeEach(async () => {
    sources = await openSources();
    app = await consoleOver(sources);
  });
  afterEach(async () => {
    await app.close();
    await sources.close();
  });

  const query = (text: string) => sources.database.dataSource.query(text);
  const page = async () => (await app.inject({ url: '/', headers: BEARER })).body;
  /** What a reader sees of the card that holds `label`. */
  const cardOf = async (label: string) => {
    const card = (await page())
      .split(/(?=<div class="probe|<article|<section|<\/article)/)
      .find((part) => part.includes(label));
    return card?.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
  };

  it('says how to link an account where there is none', async () => {
    expect(await page()).to.include('grill-stats account link --email you@example.com');
  });

  it('shows what each probe reads now, in its owner’s unit, and what its session made of it', async () => {
    await seedKitchen(sources.database.dataSource, new Date());
    expect(await cardOf('>Brisket point')).to.match(
      /203\.2 °F \d+ s ago min 41\.2 avg 158\.8 max 203\.2 Brisket done ≥ 203 °F firing/,
    );
    expect(await cardOf('>Humidity')).to.include('61.0 %');
    await query("UPDATE users SET temperature_unit = 'C' WHERE email = 'dana@example.com'");
    expect(await cardOf('>Brisket point')).to.match(/95\.1 °C \d+ s ago min 5\.1 avg 70\.4 max 95\.1/);
    expect(await cardOf('Offset smoker')).to.match(/78 % battery .* Brisket since \d\d:\d\d · 10 h 27 min/);
  });

  it('never shows a last value as the present one', async () => {
    await seedKitchen(sources.database.dataSource, new Date());
    expect(await cardOf('>Probe 4'))
      .to.include('no probe')
      .and.not.match(/°/);
    expect(await cardOf('>Chicken'))
      .to.match(/stale since \d\d:\d\d/)
      .and.not.include('151.3');
    for (const [state, words] of [
      ['disabled', 'switched off'],
      ['fault', 'probe fault'],
      ['absent', 'no probe'],
    ]) {
      await query(`UPDATE probes SET state = '${state}' WHERE label = 'Brisket flat'`);
      expect(await cardOf('>Brisket flat'))
        .to.include(words)
        .and.not.include('197.6 °F');
    }
    // Nobody polls any more: neither probe nor device was heard of.
    await query("UPDATE probes SET state = 'ok', last_measured_at = now() - interval '11 minutes'");
    expect(await cardOf('>Brisket flat')).to.include('197.6 °F');
    await query("UPDATE devices SET last_seen_at = now() - interval '11 minutes'");
    expect(await cardOf('>Brisket flat'))
      .to.include('stale since')
      .and.not.include('197.6 °F');
  });

  it('says which account must sign in again, and which alerts fired', async () => {
    await seedKitchen(sources.database.dataSource, new Date());
    const text = (await page()).replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
    expect(text).to.include('grill-stats account link --email kitchen@example.com');
    expect(text).to.match(
      /Last alerts \d\d:\d\d fired Brisket done Offset smoker · Brisket point 203\.2 °F \d\d:\d\d resolved Pit/,
    );
  });

  it('shows what a former owner saw to nobody', async () => {
    const now = new Date();
    await seedKitchen(sources.database.dataSource, now);
    await query(
      "UPDATE devices SET user_id = (SELECT id FROM users WHERE email LIKE 'kitchen%') WHERE device_id = 'M100000001'",
    );
    const text = await page();
    expect(text)
      .to.include('Offset smoker')
      .and.not.match(/Brisket flat|Cook|Brisket<\/strong>/);
    await query("UPDATE users SET deleted_at = now() WHERE email LIKE 'dana%'");
    expect(await page()).not.to.include('Walk-in cooler');
  });

  it('prints every text from outside as text', async () => {
    const now = new Date();
    const db = sources.database.dataSource;
    const bad = (n: number) => `"><script>alert(${n})</script>'`;
    const userId = await insert(db, 'users', {
      email: `a${bad(1)}@example.com`,
      name: bad(2),
      time_zone: bad(3),
    });
    await insert(db, 'devices', { user_id: userId, device_id: bad(4), nickname: bad(5), model: bad(6) });
    const probe = { now, userId, deviceId: bad(4), probeId: bad(7) };
    const id = await addProbe(db, probe, { label: bad(8), at: () => 20 });
    await query(`UPDATE probes SET state = 'fault', unknown_unit = '<img src=x>' WHERE id = ${id}`);
    const rule = { alert_type: 'target', target_temperature: 1, direction: 'up', name: bad(9) };
    await insert(db, 'temperature_alerts', { user_id: userId, device_id: bad(4), probe_id: bad(7), ...rule });
    await insert(db, 'grilling_sessions', { user_id: userId, device_id: bad(4), name: bad(10) });
    await insert(db, 'thermoworks_credentials', {
      ...{ user_id: userId, provider: 'eti', thermoworks_uid: 'u', refresh_token: 'sealed' },
      ...{ status: 'degraded', last_error: bad(11) },
    });
    const text = await page();
    expect(text.match(/<script[^>]*>/g)).to.deep.equal(['<script src="live.js" defer>']);
    expect(text).not.to.include('<img src=x');
    for (const n of [1, 2, 4, 5, 6, 8, 9, 10, 11]) {
      expect(text).to.include(`&quot;&gt;&lt;script&gt;alert(${n})&lt;/script&gt;&#39;`);
    }
  });

  it('refreshes itself in a browser and asks nothing of the internet', async () => {
    const tool = await findToolOrSay('chromium');
    if (!tool) return;
    await seedKitchen(sources.database.dataSource, new Date());
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const { browser, close } = await openBrowser(tool);
    try {
      const tab = await browser.newPage();
      const asked = new Set<string>();
      const complaints: string[] = [];
      tab.on('request', (request) => asked.add(new URL(request.url()).origin));
      tab.on('console', (message) => complaints.push(message.text()));
      tab.on('pageerror', (error) => complaints.push(error.message));
      await tab.goto(url);
      await tab.evaluate('document.body.dataset.mark = "not loaded again"');
      await query("UPDATE probes SET last_value = 204.4 WHERE label = 'Brisket point'");
      await waitFor(() => tab.getByText('204.4').isVisible(), { timeoutMs: 20_000 });
      expect(await tab.evaluate('document.body.dataset.mark')).to.equal('not loaded again');
      expect(await tab.title()).to.equal('(1) Grill Stats');
      expect([...asked]).to.deep.equal([url]);
      expect(complaints).to.deep.equal([]);

      await tab.goto(`${url}/queues`);
      await tab.getByText('notifications').first().waitFor();
      expect(complaints.filter((text) => !text.includes('Content Security Policy'))).to.deep.equal([]);
    } finally {
      await close();
    }
  });
});
