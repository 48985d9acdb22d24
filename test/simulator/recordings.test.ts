import { expect } from 'chai';
import fc from 'fast-check';
import { at, type Cloud, DOCS, deviceQuery, itemsAt, openCloud, START } from './cloud.js';

const numberOf = (value: unknown) => Number(at(value, 'integerValue') ?? at(value, 'doubleValue'));
const timeOf = (value: unknown) =>
  Date.parse(String(at(value, 'timestampValue') ?? at(value, 'stringValue')));

/** Every document of an account, as text without the times of the answers. */
async function snapshot(cloud: Cloud, index = 0): Promise<string> {
  const headers = await cloud.bearer(index);
  const query = deviceQuery(cloud.account(index).account_id);
  const texts = [(await cloud.post(`${DOCS}:runQuery`, query, headers)).text];
  for (const { id } of await cloud.devices(index)) {
    texts.push((await cloud.request(`${DOCS}/devices/${id}/channels`, { headers })).text);
  }
  return texts.join();
}

async function withClouds<T>(
  options: Parameters<typeof openCloud>[0][],
  act: (...clouds: Cloud[]) => Promise<T>,
) {
  const clouds = await Promise.all(options.map(openCloud));
  try {
    return await act(...clouds);
  } finally {
    await Promise.all(clouds.map(({ simulator }) => simulator.close()));
  }
}

describe('recordings of the simulated cloud', () => {
  it('depend on the seed and the clock alone, not on when they were asked for', () =>
    withClouds([{ seed: 3 }, { seed: 3 }, { seed: 4 }], async (often, once, other) => {
      for (const cloud of [often, once, other]) cloud.clock.now += 1000;
      for (let step = 0; step < 5; step += 1) {
        await snapshot(often);
        for (const cloud of [often, once, other]) cloud.clock.now += 97_531;
      }
      expect(await snapshot(once)).to.equal(await snapshot(often));
      expect(await snapshot(other)).to.not.equal(await snapshot(once));
    }));

  it('lie on the grid, strictly later each time; recentReadings are the ten newest, newest first', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 900_000 }), { minLength: 2, maxLength: 6 }),
        fc.integer({ min: 1, max: 99 }),
        (advances, seed) =>
          withClouds([{ seed, accounts: 1 }], async (cloud) => {
            const headers = await cloud.bearer();
            const seen = new Map<string, number>();
            const gridMs: Record<string, number> = { signals: 10_000, datalogger: 60_000, rfx: 15_000 };
            for (const advance of advances) {
              cloud.clock.now += advance % 500_000;
              for (const { id, type, probes } of await cloud.devices()) {
                const { json } = await cloud.request(`${DOCS}/devices/${id}/channels`, { headers });
                expect(itemsAt(json, 'documents')).to.have.length(probes.length);
                for (const channel of itemsAt(json, 'documents')) {
                  if (at(channel, 'fields.status.stringValue') === 'NO PROBE') continue;
                  const name = String(at(channel, 'name'));
                  const measuredAt = timeOf(at(channel, 'fields.lastTelemetrySaved'));
                  const moved = measuredAt - (seen.get(name) ?? measuredAt);
                  expect(moved).to.be.at.least(0);
                  expect(moved % (gridMs[type] ?? 0)).to.equal(0);
                  expect(measuredAt).to.be.at.most(cloud.clock.now);
                  seen.set(name, measuredAt);
                  const recent = itemsAt(channel, 'fields.recentReadings.arrayValue.values');
                  if (at(channel, 'fields.type.stringValue') === 'rfx air') expect(recent).to.have.length(0);
                  else {
                    const times = recent.map((entry) => timeOf(at(entry, 'mapValue.fields.ts')));
                    expect(times).to.deep.equal(
                      [...Array(10).keys()].map((n) => measuredAt - n * (gridMs[type] ?? 0)),
                    );
                    const newest = Number(at(recent[0], 'mapValue.fields.v.stringValue'));
                    expect(Math.fround(newest)).to.equal(numberOf(at(channel, 'fields.value')));
                  }
                }
              }
            }
          }),
      ),
      { numRuns: 10 },
    ));

  it('move updateTime only with a write, the channels first and the device a little later', () =>
    withClouds([{ accounts: 1, deviceDelayMs: 2000 }], async (cloud) => {
      const headers = await cloud.bearer();
      const [device] = await cloud.devices();
      const updated = async (path: string) =>
        String(
          at((await cloud.request(`${DOCS}/devices/${device?.id}${path}`, { headers })).json, 'updateTime'),
        );
      const written: string[] = [];
      let last = ['', ''];
      for (let step = 0; step < 100; step += 1) {
        cloud.clock.now += 100;
        const next = [await updated('/channels/1'), await updated('')];
        if (step > 0 && next[0] !== last[0]) written.push('channel');
        if (step > 0 && next[1] !== last[1]) written.push('device');
        last = next;
      }
      expect(written).to.have.members(['channel', 'device']);
      expect(last[0]).to.match(/\.\d{6}Z$/);
    }));

  it('publish what a logger sampled each minute only each five minutes', () =>
    withClouds([{ accounts: 1 }], async (cloud) => {
      const headers = await cloud.bearer();
      const logger = (await cloud.devices()).find(({ label }) => label === 'Walk-in');
      expect(logger?.probes).to.deep.equal(['1', '3']);
      const times = new Set<number>();
      for (let minute = 0; minute < 15; minute += 1) {
        cloud.clock.now += 60_000;
        const { json } = await cloud.request(`${DOCS}/devices/${logger?.id}/channels/1`, { headers });
        times.add(timeOf(at(json, 'fields.lastTelemetrySaved')));
      }
      expect([...times].map((time) => time - Math.min(...times))).to.deep.equal(
        [0, 300_000, 600_000, 900_000].slice(0, times.size),
      );
      expect(times.size).to.be.within(3, 4);
    }));

  it('show the oddities: whole values as integers, no deviceId, no deviceOrder, a channel gap, times as text', () =>
    withClouds([{}], async (cloud) => {
      cloud.clock.now += 3 * 3_600_000;
      const kinds = new Set<string>();
      for (let step = 0; step < 30; step += 1) {
        cloud.clock.now += 10_000;
        const text = await snapshot(cloud);
        for (const [kind] of text.matchAll(/"value":\{"(?:integer|double)Value"|"ts":\{"\w+"/g))
          kinds.add(kind);
      }
      expect([...kinds]).to.have.members([
        '"value":{"integerValue"',
        '"value":{"doubleValue"',
        '"ts":{"timestampValue"',
        '"ts":{"stringValue"',
      ]);
      const rfx = (await cloud.devices()).find(({ label }) => label === 'Chicken');
      const { json } = await cloud.request(`${DOCS}/devices/${rfx?.id}`, { headers: await cloud.bearer() });
      expect(rfx?.id).to.match(/^M\d{9}$/);
      expect(at(json, 'fields')).to.not.have.property('deviceId');
      const user = (index: number) =>
        cloud
          .bearer(index)
          .then((headers) => cloud.request(`${DOCS}/users/${cloud.account(index).uid}`, { headers }));
      expect(at((await user(0)).json, 'fields')).to.have.property('deviceOrder');
      expect(at((await user(1)).json, 'fields')).to.not.have.property('deviceOrder');
    }));

  it('follow a cook: the pit climbs to 250 °F, the meat stalls near 160 °F and is done after twelve hours', () =>
    withClouds([{ accounts: 1 }], async (cloud) => {
      const [device] = await cloud.devices();
      const value = async (hours: number, probe: string) => {
        cloud.clock.now = START + hours * 3_600_000;
        const path = `${DOCS}/devices/${device?.id}/channels/${probe}`;
        return numberOf(
          at((await cloud.request(path, { headers: await cloud.bearer() })).json, 'fields.value'),
        );
      };
      expect(await value(0.01, '1')).to.be.within(70, 90);
      expect(await value(0.02, '2')).to.be.within(37, 42);
      expect(await value(1.2, '1')).to.be.within(235, 265);
      const before = await value(5, '2');
      const after = await value(6.5, '2');
      expect(before).to.be.within(155, 163);
      expect(after - before).to.be.within(0, 4);
      expect(await value(12, '2')).to.be.within(202, 206);
      expect(await value(15, '1')).to.be.below(120);
    }));

  it('in a demo pass 203 °F within half a minute and stay there', () =>
    withClouds([{ accounts: 1, demo: true }], async (cloud) => {
      const [device] = await cloud.devices();
      const value = async (seconds: number) => {
        cloud.clock.now = START + seconds * 1000;
        const path = `${DOCS}/devices/${device?.id}/channels/2`;
        return numberOf(
          at((await cloud.request(path, { headers: await cloud.bearer() })).json, 'fields.value'),
        );
      };
      expect(await value(1)).to.be.within(200, 201.5);
      expect(await value(15)).to.be.below(203);
      for (const seconds of [36, 60, 600, 3600]) expect(await value(seconds)).to.be.within(203, 205);
    }));

  it('cost nothing for accounts that nobody asks for', () =>
    withClouds([{ accounts: 1000 }], async (cloud) => {
      const all = cloud.simulator.accounts;
      expect(new Set(all.map(({ refresh_token }) => refresh_token)).size).to.equal(1000);
      expect(all[999]?.email).to.equal('cook1000@example.test');
      cloud.clock.now += 30 * 86_400_000;
      expect(await snapshot(cloud, 999)).to.include('"value"');
    }));
});
