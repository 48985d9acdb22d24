import { expect } from 'chai';
import { at, type Cloud, DOCS, deviceQuery, items, openCloud, ROOT } from './cloud.js';

describe('the control API', () => {
  let cloud: Cloud;
  let device: { id: string; probes: string[] };
  beforeEach(async () => {
    cloud = await openCloud();
    const [first] = await cloud.devices();
    if (!first) throw new Error('no device');
    device = first;
  });
  afterEach(() => cloud.simulator.close());

  const inject = async (fault: object) => {
    const { status, text } = await cloud.post('/_control/faults', fault);
    expect(status, text).to.equal(200);
  };
  const channel = async (probe = '1') =>
    cloud.request(`${DOCS}/devices/${device.id}/channels/${probe}`, { headers: await cloud.bearer() });
  const query = async () =>
    cloud.post(`${DOCS}:runQuery`, deviceQuery(cloud.account().account_id), await cloud.bearer());
  const script = (body: object) =>
    cloud.post('/_control/readings', { device_id: device.id, probe_id: '2', manual: true, ...body });
  const updated = async () => [
    String(at((await channel('2')).json, 'updateTime')),
    String(
      at(
        (await cloud.request(`${DOCS}/devices/${device.id}`, { headers: await cloud.bearer() })).json,
        'updateTime',
      ),
    ),
  ];

  describe('ledger', () => {
    it('holds what was served, once, and says whether it was seen in `value`', async () => {
      expect(cloud.simulator.ledger()).to.deep.equal([]);
      const { json } = await channel();
      const first = cloud.simulator.ledger();
      expect(first).to.have.length(10);
      expect(first.filter(({ source }) => source === 'value')).to.have.length(1);
      const { ts } = { ts: at(json, 'fields.lastTelemetrySaved.timestampValue') };
      expect(first[0]).to.include({
        account: cloud.account().email,
        device_id: device.id,
        probe_id: '1',
        measured_at: new Date(String(ts)).toISOString(),
        unit: 'F',
        source: 'value',
        served: 1,
      });
      await channel();
      expect(cloud.simulator.ledger()).to.deep.equal(first);
      cloud.clock.now += 20_000;
      await channel();
      const since = items((await cloud.request('/_control/ledger?since=1')).json);
      expect(since.map((entry) => [at(entry, 'source'), at(entry, 'served')])).to.deep.equal([
        ['value', 3],
        ['recent', 3],
      ]);
    });

    it('rounds to 0.01, and leaves out probes that are absent, disabled, not finite or of no known unit', async () => {
      const ledgerOf = async (reading: object) => {
        cloud.clock.now += 1000;
        await script({ readings: [reading] });
        await channel('2');
        const measuredAt = new Date(cloud.clock.now).toISOString();
        return cloud.simulator
          .ledger()
          .filter(({ measured_at }) => measured_at === measuredAt)
          .map(({ value }) => value);
      };
      expect(await ledgerOf({ value: 36.9 })).to.deep.equal([36.9]);
      expect(await ledgerOf({ value: -5.206 })).to.deep.equal([-5.21]);
      for (const reading of [
        { value: null },
        { value: 'NaN' },
        {},
        { value: 1, status: 'No Probe' },
        { value: 1, unit: 'X' },
      ]) {
        expect(await ledgerOf(reading)).to.deep.equal([]);
      }
      expect(await ledgerOf({ value: 200, status: 'HIGH' })).to.deep.equal([200]);
      const probe = { device_id: device.id, probe_id: '2' };
      await inject({ probe, patch: { enabled: { booleanValue: false } } });
      expect(await ledgerOf({ value: 1 })).to.deep.equal([]);
    });

    it('does not count what a mask hid, a cut answer, or times out of bounds', async () => {
      const headers = await cloud.bearer();
      await cloud.request(`${DOCS}/devices/${device.id}/channels/1?mask.fieldPaths=label`, { headers });
      await inject({ route: 'channel', cut: true, times: 1 });
      expect(await channel().catch(() => 'broken')).to.equal('broken');
      expect(cloud.simulator.ledger()).to.deep.equal([]);
      const readings = ['2014-12-31T23:59:59.999Z', '2026-11-21T10:00:01Z', '2026-11-21T10:00:00Z'].map(
        (measured_at) => ({
          measured_at,
          value: 50,
        }),
      );
      await script({ readings });
      await channel('2');
      const times = cloud.simulator.ledger().map(({ measured_at }) => measured_at);
      expect(times).to.include('2026-11-21T10:00:00.000Z');
      expect(times).to.not.include.members(['2014-12-31T23:59:59.999Z']);
      expect(times).to.not.include('2026-11-21T10:00:01.000Z');
    });
  });

  describe('readings', () => {
    it('are written to value and recentReadings, in order, and touch the device', async () => {
      const before = await updated();
      const readings = [201.5, 202].map((value, n) => ({
        measured_at: `2026-11-20T10:00:0${n}.250Z`,
        value,
      }));
      await script({ readings });
      const { json } = await channel('2');
      expect(at(json, 'fields.value')).to.deep.equal({ integerValue: '202' });
      expect(at(json, 'fields.lastTelemetrySaved.timestampValue')).to.equal('2026-11-20T10:00:01.250Z');
      const recent = 'fields.recentReadings.arrayValue.values';
      expect(at(json, `${recent}.0.mapValue.fields.v.stringValue`)).to.equal('202.000');
      expect(at(json, `${recent}.1.mapValue.fields.v.stringValue`)).to.equal('201.500');
      const after = await updated();
      expect(after[0] && before[0] && after[0] > before[0]).to.equal(true);
      expect(after[1] && before[1] && after[1] > before[1]).to.equal(true);
      cloud.clock.now += 60_000;
      expect(await updated()).to.deep.equal(after);
    });

    it('can be torn: the channel without its device, and the device before its channel', async () => {
      await script({ readings: [] });
      const [channel0, device0] = await updated();
      cloud.clock.now += 1000;
      await script({ readings: [{ value: 1 }], touch_device: false });
      const [channel1, device1] = await updated();
      expect([channel1 !== channel0, device1 === device0]).to.deep.equal([true, true]);
      cloud.clock.now += 1000;
      await script({ readings: [{ value: 2 }], publish: false, touch_device: true });
      const [channel2, device2] = await updated();
      expect([channel2 === channel1, device2 !== device1]).to.deep.equal([true, true]);
      expect(at((await channel('2')).json, 'fields.value')).to.deep.equal({ integerValue: '1' });
      await script({});
      expect(at((await channel('2')).json, 'fields.value')).to.deep.equal({ integerValue: '2' });
    });
  });

  describe('request faults', () => {
    it('answer with status, message and Retry-After as often as asked, array-wrapped where streaming', async () => {
      await inject({ route: 'query', status: 429, retry_after: 7, times: 2, account: cloud.account().email });
      for (let n = 0; n < 2; n += 1) {
        const { status, headers, json } = await query();
        expect([status, headers.get('retry-after')]).to.deep.equal([429, '7']);
        expect(at(json, '0.error.status')).to.equal('RESOURCE_EXHAUSTED');
      }
      expect((await query()).status).to.equal(200);
      expect(at((await cloud.request('/_control/faults')).json, '0.hits')).to.equal(2);
    });

    it('hit the account and the time they name, and end when cleared', async () => {
      await inject({ route: '*', status: 503, account: cloud.account(1).email });
      await inject({
        route: 'channel',
        status: 500,
        from: '2026-11-20T10:00:05Z',
        until: '2026-11-20T10:00:06Z',
      });
      const statuses: number[] = [];
      for (let second = 4; second < 7; second += 1) {
        cloud.clock.now = Date.parse(`2026-11-20T10:00:0${second}Z`);
        statuses.push((await channel()).status);
      }
      expect(statuses).to.deep.equal([200, 500, 200]);
      expect((await cloud.refresh(cloud.account(1).refresh_token)).status).to.equal(503);
      await cloud.request('/_control/faults', { method: 'DELETE' });
      expect((await cloud.refresh(cloud.account(1).refresh_token)).status).to.equal(200);
    });

    it('drop, send HTML, raw text or any JSON, delay, and refuse only large batches', async () => {
      await inject({ route: 'query', drop: true, times: 1 });
      expect(await query().catch(() => 'dropped')).to.equal('dropped');
      await inject({ route: 'query', html: true, times: 1 });
      expect((await query()).headers.get('content-type')).to.include('text/html');
      await inject({ route: 'query', status: 502, body: 'oops', times: 1 });
      expect((await query()).text).to.equal('oops');
      await inject({ route: 'query', json: [], times: 1 });
      expect((await query()).json).to.deep.equal([]);
      await inject({ route: 'query', delay_ms: 5, times: 1 });
      expect((await query()).status).to.equal(200);
      await inject({ route: 'batchGet', above_documents: 2, status: 403 });
      const headers = await cloud.bearer();
      const batch = (size: number) =>
        cloud.post(
          `${DOCS}:batchGet`,
          {
            documents: ['1', '2', '3']
              .slice(0, size)
              .map((n) => `${ROOT}/devices/${device.id}/channels/${n}`),
          },
          headers,
        );
      expect([(await batch(2)).status, (await batch(3)).status]).to.deep.equal([200, 403]);
    });
  });

  describe('request faults of how an answer is sent', () => {
    it('pad, compress and rename the true answer, and any other', async () => {
      const { json: truth } = await query();
      await inject({ route: 'query', pad_mb: 2, gzip: true, content_type: 'text/plain', times: 1 });
      const { headers, text, json } = await query();
      expect(headers.get('content-encoding')).to.equal('gzip');
      expect(headers.get('content-type')).to.match(/^text\/plain/);
      expect(text.length - text.trimEnd().length).to.equal(2_000_000);
      expect(json).to.deep.equal(truth);
      await inject({ route: 'query', pad_mb: 1, body: 'oops', times: 1 });
      expect((await query()).text).to.match(/^oops {1000000}$/);
    });

    it('drip byte by byte, until the caller leaves', async () => {
      await inject({ route: 'webConfig', body: 'drip', drip_ms: 1, times: 1 });
      await inject({ route: 'webConfig', drip_ms: 60_000 });
      const url = `${cloud.simulator.url}/v1alpha/projects/-/apps/x/webConfig`;
      expect(await (await fetch(url)).text()).to.equal('drip');
      const leaving = new AbortController();
      const { body } = await fetch(url, { signal: leaving.signal });
      const first = await body?.getReader().read();
      expect(first?.value).to.have.length(1);
      leaving.abort();
    });
  });

  describe('faults of probes, devices and accounts', () => {
    const cases: [string, unknown, string][] = [
      ['absent', undefined, 'NORMAL'],
      ['null', { nullValue: null }, 'NORMAL'],
      ['nan', { doubleValue: 'NaN' }, 'NORMAL'],
      ['unplugged', { nullValue: null }, 'NO PROBE'],
    ];
    for (const [set, value, status] of cases) {
      it(`shows a probe that is ${set} from its next recording, and well again`, async () => {
        const probe = { device_id: device.id, probe_id: '1' };
        await inject({ probe, set });
        cloud.clock.now += 10_000;
        const { json } = await channel();
        expect(at(json, 'fields.value')).to.deep.equal(value);
        expect(at(json, 'fields.status.stringValue')).to.equal(status);
        await inject({ probe, set: 'ok' });
        cloud.clock.now += 10_000;
        expect(
          at((await channel()).json, 'fields.value.doubleValue') ??
            at((await channel()).json, 'fields.value.integerValue'),
        ).to.not.equal(undefined);
      });
    }

    for (const [set, moves, repeats] of [
      ['frozen', true, true],
      ['stopped', false, true],
      ['no_probe', true, true],
    ] as const) {
      it(`shows a probe that is ${set} with its last value`, async () => {
        const before = (await channel()).json;
        await inject({ probe: { device_id: device.id, probe_id: '1' }, set });
        cloud.clock.now += 600_000;
        const after = (await channel()).json;
        const time = 'fields.lastTelemetrySaved.timestampValue';
        expect(at(after, time) !== at(before, time)).to.equal(moves);
        expect(
          JSON.stringify(at(after, 'fields.value')) === JSON.stringify(at(before, 'fields.value')),
        ).to.equal(repeats);
      });
    }

    it('switches a device off, removes it, and brings it back', async () => {
      await inject({ device: device.id, set: 'off' });
      const before = await updated();
      cloud.clock.now += 60_000;
      expect(await updated()).to.deep.equal(before);
      await inject({ device: device.id, set: 'battery_189' });
      expect(at((await query()).json, '0.document.fields.battery.integerValue')).to.equal('189');
      await inject({ device: device.id, set: 'removed' });
      expect(items((await query()).json)).to.have.length(3);
      expect((await channel()).status).to.equal(404);
      await cloud.request('/_control/faults', { method: 'DELETE' });
      expect(items((await query()).json)).to.have.length(4);
      expect(at((await query()).json, '0.document.fields.battery.integerValue')).to.not.equal('189');
    });

    it('lays fields over a user and takes them away', async () => {
      await inject({ account: cloud.account().email, patch: { accountId: null } });
      const path = `${DOCS}/users/${cloud.account().uid}`;
      const { json } = await cloud.request(path, { headers: await cloud.bearer() });
      expect(at(json, 'fields')).to.not.have.property('accountId');
    });

    it('rotates refresh tokens, strictly or not', async () => {
      const { email, refresh_token: first } = cloud.account();
      const next = async (token: string) => String(at((await cloud.refresh(token)).json, 'refresh_token'));
      await inject({ account: email, set: 'rotate_lenient' });
      const second = await next(first);
      expect(second).to.not.equal(first);
      expect((await cloud.refresh(first)).status).to.equal(200);
      await inject({ account: email, set: 'rotate_strict' });
      const third = await next(second);
      const refused = await cloud.refresh(second);
      expect([refused.status, at(refused.json, 'error.message')]).to.deep.equal([
        400,
        'INVALID_REFRESH_TOKEN',
      ]);
      expect((await cloud.refresh(third)).status).to.equal(200);
    });

    it('revokes an account until it signs in again, and withdraws access tokens', async () => {
      const { email, uid, refresh_token, password } = cloud.account();
      const headers = await cloud.bearer();
      await inject({ account: email, set: 'revoked', message: 'TOKEN_EXPIRED' });
      expect(at((await cloud.refresh(refresh_token)).json, 'error.message')).to.equal('TOKEN_EXPIRED');
      expect((await cloud.request(`${DOCS}/users/${uid}`, { headers })).status).to.equal(200);
      await inject({ account: email, set: 'expire_tokens' });
      expect((await cloud.request(`${DOCS}/users/${uid}`, { headers })).status).to.equal(401);
      const signedIn = await cloud.signIn(email, password);
      expect(signedIn.status).to.equal(200);
      expect((await cloud.refresh(String(at(signedIn.json, 'refreshToken')))).status).to.equal(200);
      expect((await cloud.refresh(refresh_token)).status).to.equal(400);
    });
  });

  it('moves the clock, and Date and readTime follow it', async () => {
    const { json } = await cloud.post('/_control/clock', { advance_seconds: 3600, speed: 60 });
    expect(json).to.deep.equal({ now: '2026-11-20T11:00:00.000Z', speed: 60 });
    cloud.clock.now += 1000;
    const answer = await query();
    expect(answer.headers.get('date')).to.equal('Fri, 20 Nov 2026 11:01:00 GMT');
    expect(at(answer.json, '0.readTime')).to.equal('2026-11-20T11:01:00.000999Z');
    await cloud.post('/_control/clock', { now: '2027-01-01T00:00:00Z' });
    expect(at((await cloud.request('/_control/clock')).json, 'now')).to.equal('2027-01-01T00:00:00.000Z');
  });

  it('counts requests by route until it is reset', async () => {
    await cloud.request('/_control/requests', { method: 'DELETE' });
    await query();
    await channel('7');
    const { json } = await cloud.request('/_control/requests');
    expect(at(json, 'counts')).to.deep.equal({ token: 2, query: 1, channel: 1 });
    expect(at(json, 'requests.3')).to.deep.equal({
      route: 'channel',
      account: cloud.account().email,
      status: 404,
      at: '2026-11-20T10:00:00.000Z',
    });
  });

  it('names what is wrong with a request of a test', async () => {
    for (const [path, body] of [
      ['faults', { route: 'nowhere', status: 500 }],
      ['faults', { device: 'M1', set: 'off' }],
      ['faults', { device: device.id, set: 'exploded' }],
      ['faults', { account: 'nobody@example.test', set: 'revoked' }],
      ['readings', { device_id: device.id, probe_id: '9', readings: [] }],
    ] as const) {
      const { status, json } = await cloud.post(`/_control/${path}`, body);
      expect(status).to.equal(400);
      expect(at(json, 'error.message')).to.be.a('string');
    }
  });
});
