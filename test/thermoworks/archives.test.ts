import { createServer } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { readArchiveFile } from '../../src/thermoworks/archive-file.js';
import type { CloudClient } from '../../src/thermoworks/cloud-client.js';
import { clientOf } from '../poller/parts.js';
import { at, type Cloud, openCloud, START } from '../simulator/cloud.js';
import { failureOf } from '../support/failure-of.js';

const READ_AT = new Date('2026-11-21T00:00:00Z');
const MS = Date.parse('2026-11-20T10:00:00Z');
const parse = (rows: unknown[], more: object = {}) =>
  readArchiveFile(
    JSON.stringify({ serial: 'D', channels: [{ readings: [1] }], ...more, readings: rows }),
    READ_AT,
  );

describe('archive files', () => {
  it('take times in milliseconds, in seconds and as text, each row in its own unit, longer rows too', async () => {
    const rows = await parse([
      ['1', MS + 2000, 37, 'F', 'x', null],
      ['1', MS / 1000 + 1, -5.199999809265137, 'C'],
      [2, new Date(MS).toISOString(), 91.27, 'H'],
      ['1', MS, 36.900001525878906, 'F'],
    ]);
    expect(rows).to.deep.include({ total: 4, bad: 0, isWhole: true });
    expect(rows?.probes.get('1')).to.deep.equal({
      times: [MS, MS + 1000, MS + 2000],
      values: [36.9, -5.2, 37],
      units: ['F', 'C', 'F'],
      flags: [0, 0, 0],
    });
    expect(rows?.probes.get('2')?.units).to.deep.equal(['H']);
  });

  it('count rows that are no readings, and keep the others', async () => {
    const bad = [
      ['1', MS, 36],
      [],
      null,
      7,
      {},
      'text',
      ['1', MS, '36', 'F'],
      ['1', MS, null, 'F'],
      ['1', MS, 36, 'K'],
      ['1', 'soon', 36, 'F'],
      ['1', null, 36, 'F'],
      ['no name', MS, 36, 'F'],
      [null, Date.UTC(2009, 0), 36, 'F'],
      ['1', READ_AT.getTime() + 90_000_000, 36, 'F'],
      ['1', MS, 1e300, 'F'],
    ];
    const rows = await parse([...bad, ['1', MS, 36, 'F'], ['1', READ_AT.getTime() + 300_000, 5000, 'F']]);
    expect(rows).to.include({ total: bad.length + 2, bad: bad.length });
    // Implausible, and by a clock that runs ahead.
    expect(rows?.probes.get('1')).to.deep.include({
      times: [MS, READ_AT.getTime() + 300_000],
      flags: [0, 5],
    });
  });

  it('that are cut give the rows before the cut; what is none gives null', async () => {
    const text = JSON.stringify({
      label: 'a "readings": [ ]',
      readings: [
        ['1', MS, 36, 'F'],
        ['1', MS + 1, 37, 'F'],
      ],
    });
    expect(await readArchiveFile(text, READ_AT)).to.include({ total: 2, isWhole: true });
    for (let length = 0; length < text.length; length += 1) {
      const cut = await readArchiveFile(text.slice(0, length), READ_AT);
      expect(cut?.isWhole, text.slice(0, length)).to.not.equal(true);
    }
    for (const other of ['', '[]', '{}', '{"a":1}', '<html>', '{"readings":{}}', '{"a":{"readings":[]}}'])
      expect(await readArchiveFile(other, READ_AT), other).to.equal(null);
    expect(await readArchiveFile('{"readings":[]}', READ_AT)).to.include({ total: 0, isWhole: true });
    expect(await readArchiveFile(' { "readings" : [ [ "1" , 1 ] ] , "b" : [ ] } ', READ_AT)).to.include({
      total: 1,
    });
  });

  it('have no row of thousands of fields, and no thousands of channels', async () => {
    const channels = Array.from({ length: 150 }, (_, n) => [`c${n}`, MS, 36, 'F']);
    const wide = ['1', MS, 36, 'F', ...Array(10_000).fill([])];
    const rows = await parse([wide, ...channels, ['c99', MS + 1, 37, 'F']]);
    expect(rows).to.include({ total: 152, bad: 51, isWhole: true });
    expect(rows?.probes.size).to.equal(100);
    expect(rows?.probes.get('c99')?.values).to.deep.equal([36, 37]);
  });

  it('never throw, whatever they hold', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.anything()), fc.string(), async (rows, text) => {
        await readArchiveFile(text, READ_AT);
        const json = JSON.stringify({ readings: rows }, (_, value) =>
          typeof value === 'bigint' ? 1 : value,
        );
        expect(await readArchiveFile(json, READ_AT)).to.include({ total: rows.length, isWhole: true });
      }),
    ));
});

describe('archives of a device', function () {
  this.timeout(120_000);
  let cloud: Cloud;
  let client: CloudClient;
  let device: string;
  const calls: string[] = [];
  before(async () => {
    cloud = await openCloud();
    const limits = { idleMs: 60_000 };
    client = clientOf(cloud.simulator.url, (call, status) => calls.push(`${call} ${status}`), { limits });
    device = (await cloud.devices())[0]?.id ?? '';
  });
  beforeEach(() => {
    calls.length = 0;
  });
  after(async () => {
    client.close();
    await cloud.simulator.close();
  });
  const close = async (): Promise<string> => {
    cloud.clock.now += 60_000;
    const { json } = await cloud.post('/_control/archives', { device_id: device });
    return String(at(json, 'archive_id'));
  };
  const token = async () => (await client.refresh(cloud.account().refresh_token)).accessToken;
  const list = async (since = new Date(0)) => client.archives(await token(), device, since);
  const fault = (body: object) => cloud.post('/_control/faults', { times: 1, ...body });

  it('are listed newest first, page by page, no further back than asked', async () => {
    const made: string[] = [];
    for (let n = 0; n < 101; n += 1) made.unshift(await close());
    expect((await list()).map(({ archiveId }) => archiveId)).to.deep.equal(made);
    expect(calls.filter((call) => call === 'archives 200')).to.have.length(2);
    calls.length = 0;
    const since = new Date(cloud.clock.now - 4 * 60_000);
    const newest = await list(since);
    expect(newest.map(({ archiveId }) => archiveId)).to.deep.equal(made.slice(0, 5));
    expect(newest[0]).to.deep.include({
      createdAt: new Date(cloud.clock.now),
      endAt: new Date(cloud.clock.now),
    });
    expect(calls.filter((call) => call === 'archives 200')).to.have.length(1);
  });

  it('are left out where a document names no file, or one outside its bucket', async () => {
    const times = Object.fromEntries(
      ['start', 'end', 'createdOn'].map((field) => [
        field,
        { timestampValue: new Date(START).toISOString() },
      ]),
    );
    const name = (id: string) => `projects/p/databases/(default)/documents/devices/${device}/archive/${id}`;
    const named = (id: string, filename?: string) => ({
      name: name(id),
      fields: { ...times, ...(filename !== undefined && { filename: { stringValue: filename } }) },
    });
    const documents = [
      named('a', 'x/y.json'),
      named('b'),
      named('c', '..'),
      named('d', 'a/../../b'),
      named('e', 'a\n'),
    ];
    await fault({ route: 'archives', json: { documents: [...documents, 7, { name: name('f') }] } });
    expect((await list()).map(({ archiveId }) => archiveId)).to.deep.equal(['a']);
    await fault({ route: 'archives', json: {} });
    expect(await list()).to.deep.equal([]);
  });

  it('that never end are given up', async () => {
    await fault({ route: 'archives', times: 9, json: { documents: [], nextPageToken: 'again' } });
    expect(await failureOf(list())).to.include({ reason: 'endless_pages' });
    await cloud.request('/_control/faults', { method: 'DELETE' });
  });

  it('are read whole: 60,000 rows, gzipped or not, under any content type', async () => {
    const [newest] = await list();
    const rows = async (effect: object) => {
      await fault({ route: 'file', ...effect });
      const { probes, ...read } = await client.archiveRows(await token(), newest?.filename ?? '');
      return { ...read, probes: [...probes.keys()].sort() };
    };
    const all = { total: 60_000, bad: 0, isWhole: true, probes: ['1', '2', '3'] };
    const type = 'application/octet-stream';
    expect(await rows({ rows: 60_000, gzip: true, content_type: type, shape: 'unsorted' })).to.deep.equal(
      all,
    );
    expect(await rows({ rows: 6 })).to.deep.include({ total: 6 });
  });

  it('fail by a reason: none there, refused, no archive, more than 50 MB', async () => {
    const [newest] = await list();
    const failure = async (effect: object, filename = newest?.filename ?? '') => {
      if (Object.keys(effect).length > 0) await fault({ route: 'file', times: 3, ...effect });
      const error = await failureOf(client.archiveRows(await token(), filename));
      await cloud.request('/_control/faults', { method: 'DELETE' });
      return error;
    };
    expect(await failure({}, 'archives/none.json')).to.include({ kind: 'not_found', status: 404 });
    expect(await failure({ status: 403 })).to.include({ kind: 'forbidden' });
    expect(await failure({ html: true })).to.include({ kind: 'transient', reason: 'malformed' });
    expect(await failure({ cut: true })).to.include({ kind: 'transient', reason: 'network' });
    expect(await failure({ pad_mb: 51, gzip: true })).to.include({ reason: 'too_large' });
  });

  it('go by their names as one part of the address', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end('{"readings":[]}');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
    const other = clientOf(url, undefined, { provider: { projectId: 'p', storageBucket: 'b/c' } });
    await other.archiveRows('t', 'archives/AA:BB/ä 1?.json');
    expect(asked).to.deep.equal(['/v0/b/b%2Fc/o/archives%2FAA%3ABB%2F%C3%A4%201%3F.json?alt=media']);
    other.close();
    const bucketless = clientOf(url, undefined, { provider: { projectId: 'p' } });
    expect(await failureOf(bucketless.archiveRows('t', 'x'))).to.include({ reason: 'no_bucket' });
    bucketless.close();
    server.close();
  });
});
