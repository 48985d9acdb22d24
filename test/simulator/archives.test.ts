import { expect } from 'chai';
import { at, type Cloud, DOCS, itemsAt, KEY, openCloud, START } from './cloud.js';

const HOUR = 3_600_000;

describe('archives of the simulated cloud', function () {
  this.timeout(120_000);
  let cloud: Cloud;
  /** Of which account; null: without a token. */
  let as: number | null;
  beforeEach(async () => {
    cloud = await openCloud();
    as = 0;
  });
  afterEach(() => cloud.simulator.close());

  const serial = async (index = 0) => (await cloud.devices())[index]?.id ?? '';
  const close = async (body: object) => {
    const { status, json } = await cloud.post('/_control/archives', { device_id: await serial(), ...body });
    expect(status).to.equal(200);
    return { id: String(at(json, 'archive_id')), filename: String(at(json, 'filename')), json };
  };
  const get = async (path: string) =>
    cloud.request(path, as === null ? {} : { headers: await cloud.bearer(as) });
  // As the python client sends it: raw colons, a space as +, / raw in the query.
  const list = async (search = '') =>
    get(`${DOCS}/devices/${await serial()}/archive?key=${KEY}&orderBy=createdOn+desc${search}`);
  const file = (filename: string) =>
    get(
      `/v0/b/thermoworks-cloud-production.appspot.com/o/${encodeURIComponent(filename).replaceAll('%3A', ':')}`,
    );
  const download = async (filename: string) => {
    const path = encodeURIComponent(filename).replaceAll('%3A', ':');
    return get(`/v0/b/thermoworks-cloud-production.appspot.com/o/${path}?alt=media`);
  };
  const idsOf = (json: unknown) =>
    itemsAt(json, 'documents').map((document) => String(at(document, 'name')).split('/').at(-1));

  it('are listed newest first, in pages whose token must be encoded, with lists that python can read', async () => {
    const made: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      cloud.clock.now += HOUR;
      made.unshift((await close({})).id);
    }
    expect(idsOf((await list()).json)).to.deep.equal(made);
    const pages: (string | undefined)[] = [];
    for (let token = ''; ; ) {
      const { json } = await list(`&pageSize=2${token}`);
      pages.push(...idsOf(json));
      const next = at(json, 'nextPageToken');
      if (next === undefined) break;
      expect(next).to.match(/^tok\/\+=/);
      expect((await list(`&pageSize=2&pageToken=${next}`)).status).to.equal(400);
      token = `&pageToken=${encodeURIComponent(String(next)).replaceAll('%2F', '/')}`;
    }
    expect(pages).to.deep.equal(made);
    const fields = at((await list()).json, 'documents.0.fields');
    expect(at(fields, 'events')).to.deep.equal({ arrayValue: { values: [] } });
    expect(at(fields, 'createdOn.timestampValue')).to.equal(
      new Date(cloud.clock.now).toISOString().replace('.000', ''),
    );
    expect(at(fields, 'type.stringValue')).to.equal('manual');
    expect((await get(`${DOCS}/devices/${await serial()}/archive/${made[0]}`)).status).to.equal(200);
    expect((await get(`${DOCS}/devices/${await serial()}/archive/none`)).status).to.equal(404);
  });

  it('hold what every probe measured, seen or not; the ledger then knows of it', async () => {
    const id = await serial();
    await get(`${DOCS}/devices/${id}/channels`);
    cloud.clock.now += HOUR;
    const readings = [{ measured_at: new Date(START + 1_234).toISOString(), value: 71.5 }, { value: null }];
    await cloud.post('/_control/readings', { device_id: id, probe_id: '4', readings });
    const { filename, json: told } = await close({});
    const answer = await download(filename);
    expect(answer.headers.get('content-type')).to.equal('text/json; charset=UTF-8');
    const rows = itemsAt(answer.json, 'readings');
    expect(rows).to.have.length(Number(at(told, 'count')));
    const times = rows.filter((row) => at(row, '0') === '1').map((row) => Number(at(row, '1')));
    expect(times).to.have.length(360);
    expect(new Set(times.slice(1).map((ms, n) => ms - (times[n] ?? 0)))).to.deep.equal(new Set([10_000]));
    expect(rows.filter((row) => at(row, '0') === '4')).to.deep.equal([['4', START + 1_234, 71.5, 'F']]);
    const ledger = cloud.simulator.ledger().filter((one) => Date.parse(one.measured_at) >= START);
    expect(ledger).to.have.length(rows.length);
    const keys = new Set(ledger.map((one) => `${one.probe_id} ${Date.parse(one.measured_at)} ${one.value}`));
    for (const row of rows) expect(keys).to.include(`${at(row, '0')} ${at(row, '1')} ${at(row, '2')}`);
    const meta = await file(filename);
    expect(at(meta.json, 'name')).to.equal(filename);
    expect(at(meta.json, 'readings')).to.equal(undefined);
  });

  it('keep what was wrong at the time, and begin where the one before ended', async () => {
    const [device_id, probe_id] = [await serial(), '1'];
    for (const set of ['celsius', 'stopped', 'ok']) {
      cloud.clock.now += HOUR;
      await cloud.post('/_control/faults', { probe: { device_id, probe_id }, set });
    }
    cloud.clock.now += HOUR;
    const first = await download((await close({})).filename);
    const units = itemsAt(first.json, 'readings')
      .filter((row) => at(row, '0') === '1')
      .map((row) => at(row, '3'));
    expect([
      units.filter((unit) => unit === 'F').length,
      units.filter((unit) => unit === 'C').length,
    ]).to.deep.equal([720, 360]);
    cloud.clock.now += 60_000;
    const second = await download((await close({})).filename);
    expect(at(second.json, 'start')).to.equal(at(first.json, 'end'));
    const seen = [first, second].flatMap(({ json }) => itemsAt(json, 'readings').map(String));
    expect(new Set(seen).size).to.equal(seen.length);
  });

  it('of a logger close by themselves each day, and the device document tells of the last', async () => {
    const id = await serial(1);
    const lastArchive = async () =>
      at((await get(`${DOCS}/devices/${id}`)).json, 'fields.lastArchive.timestampValue');
    expect(await lastArchive()).to.equal(undefined);
    cloud.clock.now += 50 * HOUR;
    expect(await lastArchive()).to.equal(
      new Date(START + 48 * HOUR + 600_000).toISOString().replace('.000', ''),
    );
    const { json } = await get(`${DOCS}/devices/${id}/archive?orderBy=createdOn+desc`);
    expect(idsOf(json)).to.have.length(2);
    expect(at(json, 'documents.0.fields.type.stringValue')).to.equal('auto');
    expect(at(json, 'documents.0.fields.count.integerValue')).to.equal(String(2 * 1440));
    await cloud.post('/_control/archives', { device_id: id, every_seconds: 0 });
    cloud.clock.now += 50 * HOUR;
    expect(await lastArchive()).to.match(/^2026-11-22T10:10/);
  });

  it('are refused to strangers, without a token, and where there is none', async () => {
    cloud.clock.now += HOUR;
    const { filename } = await close({});
    expect((await download('archives/x.json')).json).to.deep.include({
      error: { code: 404, message: 'Not Found.', status: 'NOT_FOUND' },
    });
    as = 1;
    expect((await download(filename)).status).to.equal(403);
    expect((await list()).status).to.equal(403);
    as = null;
    expect((await download(filename)).status).to.equal(401);
  });

  it('come in every bad shape', async () => {
    cloud.clock.now += HOUR;
    const { filename } = await close({});
    const rowsOf = async (fault: object) => {
      await cloud.post('/_control/faults', { route: 'file', times: 1, ...fault });
      return itemsAt((await download(filename)).json, 'readings');
    };
    const rows = itemsAt((await download(filename)).json, 'readings');
    expect(await rowsOf({ shape: 'half' })).to.have.length(rows.length / 2);
    const unsorted = await rowsOf({ shape: 'unsorted' });
    expect(unsorted).to.not.deep.equal(rows);
    expect(unsorted.map(String).sort()).to.deep.equal(rows.map(String).sort());
    expect((await rowsOf({ shape: 'celsius' })).map((row) => at(row, '3'))).to.not.include('F');
    expect(at((await rowsOf({ shape: 'seconds' }))[0], '1')).to.equal(Number(at(rows[0], '1')) / 1000);
    expect(Date.parse(String(at((await rowsOf({ shape: 'iso' }))[0], '1')))).to.equal(at(rows[0], '1'));
    expect((await rowsOf({ shape: 'short_rows' })).some((row) => at(row, '2') === undefined)).to.equal(true);
    expect(await rowsOf({ rows: 60_000 })).to.have.length(60_000);
    await cloud.post('/_control/faults', { route: 'archives', times: 1, status: 403 });
    expect((await list()).status).to.equal(403);
  });
});
