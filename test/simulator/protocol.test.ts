import { expect } from 'chai';
import { at, type Cloud, DOCS, deviceQuery, items, itemsAt, KEY, openCloud, REFERER, ROOT } from './cloud.js';

describe('the simulated cloud, rule by rule', () => {
  let cloud: Cloud;
  beforeEach(async () => {
    cloud = await openCloud({ devices: 8 });
  });
  afterEach(() => cloud.simulator.close());

  const query = async (more: object = {}, index = 0) =>
    cloud.post(`${DOCS}:runQuery`, deviceQuery(cloud.account(index).account_id, more), await cloud.bearer());
  const names = (json: unknown) => items(json).map((item) => String(at(item, 'document.name')));

  describe('checks of the app', () => {
    const cases: [string, string, string, number, string][] = [
      ['a wrong key', '?key=nope', REFERER, 400, 'API key not valid. Please pass a valid API key.'],
      ['no key', '', REFERER, 403, 'The request is missing a valid API key.'],
      ['no referer', `?key=${KEY}`, '', 403, 'Requests from referer <empty> are blocked.'],
      [
        'a foreign referer',
        `?key=${KEY}`,
        'https://x.test/',
        403,
        'Requests from referer https://x.test/ are blocked.',
      ],
    ];
    for (const [what, search, referer, status, message] of cases) {
      for (const path of ['/v1/accounts:signInWithPassword', '/v1/token']) {
        it(`refuses ${what} on ${path}`, async () => {
          const answer = await cloud.post(path + search, {}, referer ? { referer } : {});
          expect(answer.status).to.equal(status);
          expect(at(answer.json, 'error.message')).to.equal(message);
        });
      }
      it(`refuses ${what} on web config`, async () => {
        const path = `/v1alpha/projects/-/apps/1:78998049458:web:b41e9d405d8c7de95eefab/webConfig${search}`;
        const answer = await cloud.request(path, { headers: referer ? { referer } : {} });
        expect(answer.status).to.equal(status);
        expect(at(answer.json, 'error.message')).to.equal(message);
      });
    }
  });

  describe('tokens', () => {
    it('takes a refresh as a form too and returns an unsigned JWT', async () => {
      const answer = await cloud.request(`/v1/token?key=${KEY}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', referer: REFERER },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: cloud.account().refresh_token,
        }).toString(),
      });
      expect(answer.status).to.equal(200);
      expect(at(answer.json, 'refresh_token')).to.equal(cloud.account().refresh_token);
      expect(at(answer.json, 'access_token')).to.equal(at(answer.json, 'id_token'));
      const [, payload = ''] = String(at(answer.json, 'id_token')).split('.');
      const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
      expect(claims).to.include({ sub: cloud.account().uid, aud: 'thermoworks-cloud-production' });
      expect(at(claims, 'exp')).to.equal(Number(at(claims, 'iat')) + 3600);
    });

    const bad: [string, object, string][] = [
      ['a foreign token', { grant_type: 'refresh_token', refresh_token: 'x' }, 'INVALID_REFRESH_TOKEN'],
      ['another grant', { grant_type: 'password', refresh_token: 'x' }, 'INVALID_GRANT_TYPE'],
      ['no grant', { refresh_token: 'x' }, 'MISSING_GRANT_TYPE'],
      ['no token', { grant_type: 'refresh_token' }, 'MISSING_REFRESH_TOKEN'],
    ];
    for (const [what, body, message] of bad) {
      it(`refuses ${what}`, async () => {
        const answer = await cloud.post(`/v1/token?key=${KEY}`, body, { referer: REFERER });
        expect([answer.status, at(answer.json, 'error.message')]).to.deep.equal([400, message]);
      });
    }

    it('answers 401 to no token, a bad one and one after its hour, and not a second before', async () => {
      const path = `${DOCS}/users/${cloud.account().uid}`;
      const headers = await cloud.bearer();
      expect((await cloud.request(path)).status).to.equal(401);
      expect((await cloud.request(path, { headers: { authorization: 'Bearer x.y.z' } })).status).to.equal(
        401,
      );
      cloud.clock.now += 3_599_999;
      expect((await cloud.request(path, { headers })).status).to.equal(200);
      cloud.clock.now += 1;
      const expired = await cloud.request(path, { headers });
      expect([expired.status, at(expired.json, 'error.status')]).to.deep.equal([401, 'UNAUTHENTICATED']);
    });
  });

  describe('access', () => {
    it("refuses another user's documents, and wraps the error of a streaming call in an array", async () => {
      const headers = await cloud.bearer();
      const [device] = await cloud.devices(1);
      for (const path of [
        `users/${cloud.account(1).uid}`,
        `devices/${device?.id}`,
        `devices/${device?.id}/channels/1`,
      ]) {
        const answer = await cloud.request(`${DOCS}/${path}`, { headers });
        expect([answer.status, at(answer.json, 'error.status')]).to.deep.equal([403, 'PERMISSION_DENIED']);
      }
      const foreign = await query({}, 1);
      expect([foreign.status, at(foreign.json, '0.error.code')]).to.deep.equal([403, 403]);
      const documents = [`${ROOT}/devices/${device?.id}/channels/1`];
      const batch = await cloud.post(`${DOCS}:batchGet`, { documents }, headers);
      expect([batch.status, at(batch.json, '0.error.status')]).to.deep.equal([403, 'PERMISSION_DENIED']);
    });

    it('answers 404 to unknown documents', async () => {
      const headers = await cloud.bearer();
      const [device] = await cloud.devices();
      for (const path of [
        'devices/M1',
        `devices/${device?.id}/channels/9`,
        `devices/${device?.id}/archive/1`,
        `devices/${device?.id}/sessions`,
      ]) {
        expect((await cloud.request(`${DOCS}/${path}`, { headers })).status).to.equal(404);
      }
    });
  });

  describe('masks, queries and pages', () => {
    it('leaves out fields that the mask does not name, and `fields` when none is left', async () => {
      const headers = await cloud.bearer();
      const path = `${DOCS}/users/${cloud.account().uid}?mask.fieldPaths=`;
      const two = await cloud.request(`${path}accountId&mask.fieldPaths=preferredUnits`, { headers });
      expect(at(two.json, 'fields')).to.have.all.keys('accountId', 'preferredUnits');
      const none = await cloud.request(`${path}nothing`, { headers });
      expect(none.json).to.have.all.keys('name', 'createTime', 'updateTime');
    });

    it('orders by name, limits, selects, starts after and at a cursor', async () => {
      const all = names((await query()).json);
      expect(all).to.have.length(8);
      expect(all).to.deep.equal(all.toSorted());
      const first = await query({ limit: 3, select: { fields: [{ fieldPath: 'label' }] } });
      expect(names(first.json)).to.deep.equal(all.slice(0, 3));
      expect(at(first.json, '0.document.fields')).to.have.all.keys('label');
      const cursor = (before: boolean) => ({ startAt: { values: [{ referenceValue: all[2] }], before } });
      expect(names((await query({ ...cursor(false), limit: 3 })).json)).to.deep.equal(all.slice(3, 6));
      expect(names((await query(cursor(true))).json)).to.deep.equal(all.slice(2));
    });

    it('answers a query without hits with one element that holds only readTime', async () => {
      const last = names((await query()).json).at(-1);
      const { json } = await query({ startAt: { values: [{ referenceValue: last }], before: false } });
      expect(json).to.deep.equal([{ readTime: '2026-11-20T10:00:00.000999Z' }]);
    });

    it('gets many documents: each once, missing ones named, in an order of its own', async () => {
      const [device] = await cloud.devices();
      const asked = [1, 2, 3, 4, 5, 6, 1].map((n) => `${ROOT}/devices/${device?.id}/channels/${n}`);
      const body = { documents: asked, mask: { fieldPaths: ['units'] } };
      const { status, json } = await cloud.post(`${DOCS}:batchGet`, body, await cloud.bearer());
      expect(status).to.equal(200);
      const got = items(json).map((item) => at(item, 'found.name') ?? at(item, 'missing'));
      expect(got).to.have.members([...new Set(asked)]);
      expect(got).to.not.deep.equal([...new Set(asked)]);
      const missing = items(json).flatMap((item) => at(item, 'missing') ?? []);
      expect(missing).to.have.members(asked.slice(4, 6));
      for (const item of items(json)) expect(at(item, 'readTime')).to.be.a('string');
      const found = items(json).find((item) => at(item, 'found'));
      expect(at(found, 'found.fields')).to.have.all.keys('units');
    });

    it('lists channels in pages whose tokens fit only the same request', async () => {
      const headers = await cloud.bearer();
      const [device] = await cloud.devices();
      const list = (search: string) =>
        cloud.request(`${DOCS}/devices/${device?.id}/channels?${search}`, { headers });
      const first = await list('pageSize=3');
      expect(itemsAt(first.json, 'documents')).to.have.length(3);
      const token = encodeURIComponent(String(at(first.json, 'nextPageToken')));
      const second = await list(`pageSize=2&pageToken=${token}`);
      expect(
        itemsAt(second.json, 'documents').map((item) => at(item, 'fields.number.stringValue')),
      ).to.deep.equal(['4']);
      expect(second.json).to.not.have.property('nextPageToken');
      expect((await list(`pageSize=3&pageToken=${token}&mask.fieldPaths=value`)).status).to.equal(400);
    });
  });
});
