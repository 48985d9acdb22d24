import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { type CloudClient, createCloudClient } from '../../src/thermoworks/cloud-client.js';
import { CloudError } from '../../src/thermoworks/cloud-error.js';
import type { ProviderSettings } from '../../src/thermoworks/types.js';
import { CHANNEL, DOCS, NODE, RFX } from './documents.js';

interface Seen {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}
type Answer = { status?: number; json?: unknown; text?: string; headers?: Record<string, string> };
type Script = (seen: Seen, res: ServerResponse) => Answer | undefined;

const READ_TIME = '2026-11-20T10:16:00.000001Z';
const DENIED = [
  { error: { code: 403, message: 'Missing or insufficient permissions.', status: 'PERMISSION_DENIED' } },
];
const SECRETS = ['AT-S3CRET', 'RT-S3CRET', 'PW-S3CRET'];

describe('cloud client', () => {
  let server: Server;
  let base = '';
  let script: Script = () => ({ status: 500 });
  let seen: Seen[] = [];
  let counted: string[] = [];
  let clients: CloudClient[] = [];
  let time = Date.parse('2026-11-20T10:16:00Z');

  before(async () => {
    server = createServer((req, res) => {
      let body = '';
      req.on('data', (chunk) => {
        body += chunk;
      });
      req.on('end', () => {
        const url = new URL(req.url ?? '', base);
        const { method = '', headers } = req;
        const one = { method, path: url.pathname, query: url.searchParams, headers, body };
        seen.push(one);
        const answer = script(one, res);
        if (!answer) return;
        res.setHeader('date', new Date(time).toUTCString());
        res.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
        res.end(answer.text ?? JSON.stringify(answer.json ?? {}));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  });

  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  beforeEach(() => {
    seen = [];
    counted = [];
    time = Date.parse('2026-11-20T10:16:00Z');
  });

  afterEach(() => {
    for (const client of clients) client.close();
    clients = [];
  });

  function clientWith(provider: Partial<ProviderSettings> = {}, deadlineMs = 3000): CloudClient {
    const hosts = { firebase: base, identity: base, token: base, firestore: base, storage: base };
    const client = createCloudClient({
      provider: {
        name: 'thermoworks',
        apiKey: 'K',
        appId: '1:1000:web:abc',
        referer: 'https://cloud.example.test/',
        hosts,
        projectId: 'demo-cloud',
        ...provider,
      },
      now: () => new Date(time),
      random: () => 0,
      onRequest: (call, status) => counted.push(`${call} ${status}`),
      limits: { deadlineMs, idleMs: deadlineMs, maxBytes: 100_000, retryBaseMs: 1 },
    });
    clients.push(client);
    return client;
  }

  async function faultOf(promise: Promise<unknown>): Promise<CloudError> {
    const error = await promise.then(
      () => new Error('it succeeded'),
      (e: unknown) => e,
    );
    if (!(error instanceof CloudError)) throw error;
    const shown = `${error.stack} ${JSON.stringify(error)} ${error.cause}`;
    for (const secret of SECRETS) expect(shown).not.to.include(secret);
    expect(error.message).not.to.include('?key=');
    return error;
  }

  /** Answers in turn, the last one for ever. */
  const inTurn =
    (...answers: Answer[]): Script =>
    () =>
      answers[Math.min(seen.length, answers.length) - 1];

  describe('web config', () => {
    const json = { projectId: 'asked', storageBucket: 'asked.appspot.com', appId: 'x' };

    it('is asked for once, with key and referer, and shared by callers', async () => {
      script = () => ({ json });
      const client = clientWith({ projectId: undefined });
      const [first, second] = await Promise.all([client.webConfig(), client.webConfig()]);
      expect(first).to.deep.equal({ projectId: 'asked', storageBucket: 'asked.appspot.com' });
      expect(await client.webConfig()).to.equal(second);
      expect(seen.map(({ path }) => path)).to.deep.equal([
        '/v1alpha/projects/-/apps/1%3A1000%3Aweb%3Aabc/webConfig',
      ]);
      expect(seen[0]?.headers).to.deep.include({
        'x-goog-api-key': 'K',
        referer: 'https://cloud.example.test/',
      });
    });

    it('is not asked for where configuration names the project', async () => {
      script = () => ({ status: 404 });
      expect(await clientWith().webConfig()).to.deep.equal({ projectId: 'demo-cloud', storageBucket: null });
      expect(seen).to.deep.equal([]);
    });

    it('is asked for again after a failure, and takes no project that could change the address', async () => {
      script = inTurn({ json: { projectId: '../x' } }, { json });
      const client = clientWith({ projectId: undefined, storageBucket: 'mine' });
      expect((await faultOf(client.webConfig())).kind).to.equal('transient');
      expect(await client.webConfig()).to.deep.equal({ projectId: 'asked', storageBucket: 'mine' });
    });
  });

  describe('sign-in', () => {
    const json = { localId: 'uid1', idToken: 'AT-S3CRET', refreshToken: 'RT-S3CRET', expiresIn: '3600' };

    it('sends e-mail and password once and hands back tokens', async () => {
      script = () => ({ json });
      expect(await clientWith().signIn('cook@example.test', 'PW-S3CRET')).to.deep.equal({
        uid: 'uid1',
        accessToken: 'AT-S3CRET',
        refreshToken: 'RT-S3CRET',
        expiresInSeconds: 3600,
      });
      expect(seen[0]).to.deep.include({ method: 'POST', path: '/v1/accounts:signInWithPassword' });
      expect(seen[0]?.query.get('key')).to.equal('K');
      expect(seen[0]?.headers).to.deep.include({
        referer: 'https://cloud.example.test/',
        'content-type': 'application/json',
      });
      expect(JSON.parse(seen[0]?.body ?? '')).to.deep.equal({
        email: 'cook@example.test',
        password: 'PW-S3CRET',
        returnSecureToken: true,
      });
    });

    const refused: [string, Answer, string, string][] = [
      [
        'a second factor',
        { json: { mfaPendingCredential: 'x', localId: 'uid1' } },
        'unsupported',
        'second_factor',
      ],
      ['no token', { json: { localId: 'uid1' } }, 'transient', 'malformed'],
      [
        'a wrong password',
        { status: 400, json: { error: { code: 400, message: 'INVALID_LOGIN_CREDENTIALS' } } },
        'bad_login',
        'INVALID_LOGIN_CREDENTIALS',
      ],
      [
        'a body that quotes the request',
        { status: 400, json: { error: { code: 400, message: 'Invalid value "PW-S3CRET"' } } },
        'rejected',
        'HTTP_400',
      ],
    ];
    for (const [name, answer, kind, reason] of refused) {
      it(`reports ${name} as ${kind}`, async () => {
        script = () => answer;
        const fault = await faultOf(clientWith().signIn('cook@example.test', 'PW-S3CRET'));
        expect([fault.kind, fault.reason]).to.deep.equal([kind, reason]);
        expect(seen).to.have.length(1);
      });
    }

    it('that is braked waits minutes and leaves the other accounts alone', async () => {
      const brake = { error: { code: 400, message: 'TOO_MANY_ATTEMPTS_TRY_LATER : slow down' } };
      script = inTurn({ status: 400, json: brake }, { json });
      const client = clientWith();
      const fault = await faultOf(client.signIn('cook@example.test', 'PW-S3CRET'));
      expect([fault.kind, fault.retryAfterMs]).to.deep.equal(['rate_limited', 300_000]);
      await client.signIn('other@example.test', 'PW-S3CRET');
    });
  });

  describe('refresh', () => {
    const json = {
      access_token: 'AT-S3CRET',
      id_token: 'AT-S3CRET',
      refresh_token: 'RT-S3CRET-2',
      expires_in: '3600',
      user_id: 'uid1',
    };

    it('sends a form with the referer and hands back the rotated token', async () => {
      script = () => ({ json });
      expect(await clientWith().refresh('RT-S3CRET+/=')).to.deep.equal({
        uid: 'uid1',
        accessToken: 'AT-S3CRET',
        refreshToken: 'RT-S3CRET-2',
        expiresInSeconds: 3600,
      });
      expect(seen[0]?.path).to.equal('/v1/token');
      expect(seen[0]?.headers).to.deep.include({
        'content-type': 'application/x-www-form-urlencoded',
        referer: 'https://cloud.example.test/',
      });
      expect(seen[0]?.body).to.equal('grant_type=refresh_token&refresh_token=RT-S3CRET%2B%2F%3D');
    });

    it('keeps the token sent where none comes back, and an hour where the lifetime is no number', async () => {
      for (const expires_in of [undefined, null, 'soon', 'NaN', '-1', 1e12, {}]) {
        script = () => ({ json: { ...json, refresh_token: undefined, expires_in } });
        const tokens = await clientWith().refresh('RT-S3CRET');
        expect(tokens).to.deep.include({ refreshToken: 'RT-S3CRET', expiresInSeconds: 3600 });
      }
    });

    it('is tried once more after a failure that may pass, not twice', async () => {
      script = inTurn({ status: 503 }, { json });
      await clientWith().refresh('RT-S3CRET');
      script = () => ({ status: 503 });
      seen = [];
      expect((await faultOf(clientWith().refresh('RT-S3CRET'))).kind).to.equal('transient');
      expect(seen).to.have.length(2);
    });

    it('of a dead credential is not tried again', async () => {
      script = () => ({ status: 400, json: { error: { code: 400, message: 'TOKEN_EXPIRED' } } });
      const fault = await faultOf(clientWith().refresh('RT-S3CRET'));
      expect([fault.kind, fault.reason, fault.status]).to.deep.equal([
        'dead_credential',
        'TOKEN_EXPIRED',
        400,
      ]);
      expect(seen).to.have.length(1);
    });
  });

  describe('user', () => {
    it('is read with a mask, by token and without referer', async () => {
      script = () => ({ json: { name: `${DOCS}/users/u`, fields: { accountId: { stringValue: 'acc' } } } });
      expect((await clientWith().user('AT-S3CRET', 'a/b')).accountId).to.equal('acc');
      expect(seen[0]?.path).to.equal(`/v1/${DOCS}/users/a%2Fb`);
      expect(seen[0]?.query.getAll('mask.fieldPaths')).to.deep.equal([
        'accountId',
        'preferredUnits',
        'timeZone',
      ]);
      expect(seen[0]?.query.get('key')).to.equal('K');
      expect(seen[0]?.headers.authorization).to.equal('Bearer AT-S3CRET');
      expect(seen[0]?.headers.referer).to.equal(undefined);
    });

    it('without an account is reported as such', async () => {
      script = () => ({ json: { name: `${DOCS}/users/u` } });
      expect((await faultOf(clientWith().user('AT-S3CRET', 'u'))).kind).to.equal('no_account');
    });
  });

  describe('devices', () => {
    const query = (client = clientWith()) => client.devices('AT-S3CRET', 'acc');
    const page = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => ({
        document: { name: `${DOCS}/devices/M${String(from + at).padStart(6, '0')}`, updateTime: 'x' },
        readTime: READ_TIME,
      }));

    it('are asked for by account in one request', async () => {
      script = () => ({ json: [NODE, RFX].map((document) => ({ document, readTime: READ_TIME })) });
      const { devices, readTime, rejected } = await query();
      expect(devices.map(({ deviceId }) => deviceId)).to.deep.equal(['AA:BB:CC:00:11:22', 'M100000001']);
      expect(readTime).to.deep.equal(new Date('2026-11-20T10:16:00.000Z'));
      expect(rejected).to.deep.equal({});
      expect(seen.map(({ path }) => path)).to.deep.equal([`/v1/${DOCS}:runQuery`]);
      const { structuredQuery } = JSON.parse(seen[0]?.body ?? '');
      expect(structuredQuery.where.fieldFilter.value).to.deep.equal({ stringValue: 'acc' });
      expect(structuredQuery.select.fields).to.deep.include({ fieldPath: 'wifi_stength' });
      expect(structuredQuery).to.deep.include({ limit: 300 });
      expect(structuredQuery).not.to.have.property('startAt');
    });

    it('come in pages of 300', async () => {
      script = inTurn({ json: page(0, 300) }, { json: page(300, 300) }, { json: page(600, 1) });
      expect((await query()).devices).to.have.length(601);
      const last = `${DOCS}/devices/M000299`;
      expect(JSON.parse(seen[1]?.body ?? '').structuredQuery.startAt).to.deep.equal({
        values: [{ referenceValue: last }],
        before: false,
      });
    });

    it('that never end are a fault, not a loop', async () => {
      script = () => ({ json: page(0, 300) });
      expect((await faultOf(query())).reason).to.equal('endless_pages');
      expect(seen).to.have.length(2);
    });

    it('may be none', async () => {
      for (const json of [[], [{ readTime: READ_TIME }], [{ done: true, skippedResults: 0 }]]) {
        script = () => ({ json });
        expect((await query()).devices).to.deep.equal([]);
      }
    });

    it('that are no documents are left out and counted', async () => {
      const odd = [{ document: { name: 'odd' } }, { document: null }, { document: NODE }, 'text', null];
      script = () => ({ json: odd });
      const { devices, rejected } = await query();
      expect(devices).to.have.length(1);
      expect(rejected).to.deep.equal({ document: 2 });
    });

    it('take the clock of the Date header where readTime is missing or a day away', async () => {
      const headers = { date: 'Fri, 20 Nov 2026 12:00:00 GMT' };
      for (const json of [
        [],
        [{ readTime: '1969-12-31T23:59:59Z' }],
        [{ readTime: '2026-11-21T12:00:01Z' }],
      ]) {
        script = () => ({ json, headers });
        expect((await query()).readTime).to.deep.equal(new Date('2026-11-20T12:00:00Z'));
      }
    });

    it('take our clock where the Date header is none, or of a year that nobody stores', async () => {
      for (const date of ['soon', 'Mon, 01 Jan 1900 00:00:00 GMT', 'Sat, 13 Sep 275760 00:00:00 GMT']) {
        script = () => ({ json: [], headers: { date } });
        expect((await query()).readTime).to.deep.equal(new Date(time));
      }
    });

    const faults: [string, Answer, string, string][] = [
      ['an object for an array', { json: { documents: [] } }, 'transient', 'no_array'],
      [
        'an error in a 200 array',
        { json: [{ readTime: READ_TIME }, ...DENIED] },
        'forbidden',
        'PERMISSION_DENIED',
      ],
      ['an array-wrapped error', { status: 403, json: DENIED }, 'forbidden', 'PERMISSION_DENIED'],
      ['a 401', { status: 401, json: { error: { code: 401 } } }, 'unauthorized', 'HTTP_401'],
      ['HTML', { text: '<html>', headers: { 'content-type': 'text/html' } }, 'transient', 'not_json'],
      ['JSON called text', { json: [], headers: { 'content-type': 'text/plain' } }, 'transient', 'not_json'],
      ['half a body', { text: '[{"document":' }, 'transient', 'not_json'],
      ['an empty body', { text: '' }, 'transient', 'not_json'],
      ['deep nesting', { text: '['.repeat(129) + ']'.repeat(129) }, 'transient', 'not_json'],
      ['a redirect', { status: 302, headers: { location: '/' } }, 'transient', 'HTTP_302'],
      ['too much', { json: ['x'.repeat(100_000)] }, 'transient', 'too_large'],
    ];
    for (const [name, answer, kind, reason] of faults) {
      it(`answered with ${name} are a fault: ${reason}`, async () => {
        script = () => answer;
        const fault = await faultOf(query());
        expect([fault.kind, fault.reason]).to.deep.equal([kind, reason]);
        expect(seen).to.have.length(
          kind === 'transient' && reason !== 'too_large' && reason !== 'no_array' ? 3 : 1,
        );
      });
    }
  });

  describe('retries', () => {
    const query = (client = clientWith()) => client.devices('AT-S3CRET', 'acc');

    for (const [name, broken] of Object.entries<Script>({
      'a 503': () => ({ status: 503 }),
      'a 409': () => ({ status: 409, json: { error: { code: 409, status: 'ABORTED' } } }),
      'a reset': (_seen, res) => void res.socket?.resetAndDestroy(),
      'a cut body': (_seen, res) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': 10 });
        res.write('[');
        setImmediate(() => res.destroy());
        return undefined;
      },
    })) {
      it(`follow ${name}, at most two`, async () => {
        script = (one, res) => (seen.length < 3 ? broken(one, res) : { json: [] });
        await query();
        expect(seen).to.have.length(3);
        script = broken;
        seen = [];
        expect((await faultOf(query())).kind).to.equal('transient');
        expect(seen).to.have.length(3);
      });
    }

    it('keep to one deadline, waiting for a body that drips included', async () => {
      script = (_seen, res) => {
        res.writeHead(200, { 'content-type': 'application/json' });
        const drip = setInterval(() => res.write(' '), 10);
        res.on('close', () => clearInterval(drip));
        return undefined;
      };
      const fault = await faultOf(query(clientWith({}, 300)));
      expect([fault.kind, fault.reason]).to.deep.equal(['transient', 'timeout']);
      expect(counted).to.deep.equal(['devices timeout']);
    });

    it('do not happen before a Retry-After of more than 5 s is over', async () => {
      script = () => ({ status: 503, headers: { 'retry-after': '6' } });
      const fault = await faultOf(query(clientWith({}, 20_000)));
      expect([fault.kind, fault.retryAfterMs, seen.length]).to.deep.equal(['transient', 6000, 1]);
    });

    it('wait for a short Retry-After where the deadline leaves room for it', async () => {
      script = inTurn({ status: 503, headers: { 'retry-after': '1' } }, { json: [] });
      await query();
      script = () => ({ status: 503, headers: { 'retry-after': '4' } });
      seen = [];
      expect((await faultOf(query())).retryAfterMs).to.equal(4000);
      expect(seen).to.have.length(1);
    });

    it('do not follow a 429, which pauses the provider for a minute or as long as asked', async () => {
      script = inTurn({ status: 429 }, { json: [] });
      const client = clientWith();
      const fault = await faultOf(query(client));
      expect([fault.kind, fault.retryAfterMs]).to.deep.equal(['rate_limited', 60_000]);
      const paused = await faultOf(client.refresh('RT-S3CRET'));
      expect([paused.kind, paused.reason, paused.retryAfterMs]).to.deep.equal([
        'rate_limited',
        'breaker_open',
        60_000,
      ]);
      expect(seen).to.have.length(1);
      time += 60_000;
      await query(client);
    });

    it('are told apart in the count of requests', async () => {
      script = inTurn({ status: 503 }, { json: [] });
      await query();
      expect(counted).to.deep.equal(['devices 503', 'devices 200']);
    });
  });

  describe('breaker', () => {
    const query = (client: CloudClient) => client.devices('AT-S3CRET', 'acc');

    it('opens for all calls at once when the key is refused, and closes by one probe', async () => {
      const json = { error: { code: 400, message: 'API key not valid. Please pass a valid API key.' } };
      script = inTurn({ status: 400, json }, { json: [] });
      const token = base.replace('127.0.0.1', 'localhost');
      const hosts = { firebase: base, identity: base, token, firestore: base, storage: base };
      const client = clientWith({ hosts });
      expect((await faultOf(client.refresh('RT-S3CRET'))).kind).to.equal('provider');
      expect(await faultOf(query(client))).to.deep.include({ kind: 'provider', reason: 'breaker_open' });
      expect(seen).to.have.length(1);
      time += 5000;
      await query(client);
      await query(client);
    });

    it('opens when the host keeps failing, and not for accounts that are refused', async () => {
      const client = clientWith();
      script = () => ({ status: 403, json: DENIED });
      for (let poll = 0; poll < 30; poll += 1)
        expect((await faultOf(query(client))).kind).to.equal('forbidden');
      script = () => ({ status: 503 });
      seen = [];
      for (let poll = 0; poll < 5; poll += 1)
        expect((await faultOf(query(client))).kind).to.equal('transient');
      expect(seen).to.have.length(5);
    });
  });

  describe('channels', () => {
    const nameOf = (deviceId: string, probeId: string) => `${DOCS}/devices/${deviceId}/channels/${probeId}`;
    const documentOf = (name: string) => ({ ...CHANNEL, name });
    const wantedOf = (devices: number, probeIds: string[] | null = ['1']) =>
      Array.from({ length: devices }, (_, at) => ({ deviceId: `M${at}`, probeIds }));
    const namesIn = (one: Seen): string[] => JSON.parse(one.body).documents;
    const devicesIn = (one: Seen) => new Set(namesIn(one).map((name) => name.split('/').at(-3))).size;
    const found = (name: string) => ({ found: documentOf(name), readTime: READ_TIME });
    const channels = (wanted: ReturnType<typeof wantedOf>, client = clientWith()) =>
      client.channels('AT-S3CRET', wanted);

    for (const [devices, requests] of [
      [0, 0],
      [1, 1],
      [9, 1],
      [10, 2],
      [27, 3],
      [28, 4],
    ] as const) {
      it(`of ${devices} devices take ${requests} requests`, async () => {
        script = (one) => ({ json: namesIn(one).map(found) });
        const result = await channels(wantedOf(devices, ['1', '2']));
        expect(result.channels).to.have.length(devices * 2);
        expect(seen.map(({ path }) => path)).to.deep.equal(Array(requests).fill(`/v1/${DOCS}:batchGet`));
      });
    }

    it('are matched by name in any order; what is missing and what was not answered are told apart', async () => {
      script = () => ({
        json: [
          { missing: nameOf('M1', '2'), readTime: READ_TIME },
          found(nameOf('M1', '3')),
          found(nameOf('M9', '1')),
          found(nameOf('M1', '3')),
          { missing: nameOf('M9', '2') },
          found(nameOf('M1', '1')),
          { transaction: 'x' },
          { found: { name: 'odd' } },
        ],
      });
      const result = await channels([{ deviceId: 'M1', probeIds: ['1', '2', '3', '4'] }]);
      expect(result.channels.map(({ probeId }) => probeId)).to.deep.equal(['3', '1']);
      expect(result.missing).to.deep.equal([{ deviceId: 'M1', probeId: '2' }]);
      expect(result.unanswered).to.deep.equal([{ deviceId: 'M1', probeId: '4' }]);
      expect(result.rejected).to.deep.equal({ document: 1 });
      expect(result.readTime).to.deep.equal(new Date('2026-11-20T10:16:00.000Z'));
      expect(JSON.parse(seen[0]?.body ?? '').mask.fieldPaths).to.include.members([
        'value',
        'minimum',
        'maximum',
      ]);
    });

    it('that are not known yet are one to nine', async () => {
      script = (one) => ({ json: namesIn(one).map((missing) => ({ missing, readTime: READ_TIME })) });
      expect((await channels(wantedOf(1, null))).missing.map(({ probeId }) => probeId)).to.deep.equal([
        '1',
        '2',
        '3',
        '4',
        '5',
        '6',
        '7',
        '8',
        '9',
      ]);
    });

    it('give the reasons why values fell out', async () => {
      const fields = { ...CHANNEL.fields, value: { doubleValue: 1e39 } };
      script = () => ({ json: [{ found: { name: nameOf('M0', '1'), fields }, readTime: READ_TIME }] });
      expect((await channels(wantedOf(1))).rejected).to.deep.equal({ range: 1 });
    });

    it('come in smaller chunks where large ones are refused, from then on for the provider', async () => {
      script = (one) =>
        devicesIn(one) > 2 ? { status: 403, json: DENIED } : { json: namesIn(one).map(found) };
      const client = clientWith();
      expect((await channels(wantedOf(9), client)).channels).to.have.length(9);
      expect(seen.map(devicesIn)).to.deep.equal([9, 4, 2, 2, 2, 2, 1]);
      seen = [];
      expect((await channels(wantedOf(4), client)).channels).to.have.length(4);
      expect(seen.map(devicesIn)).to.deep.equal([2, 2]);
      seen = [];
      time += 60_000;
      script = (one) => ({ json: namesIn(one).map(found) });
      await channels(wantedOf(9), client);
      await channels(wantedOf(9), client);
      expect(seen.map(devicesIn)).to.deep.equal([9, 9]);
    });

    it('are listed per device where batches are refused, page by page', async () => {
      script = ({ path, query }) => {
        if (path.endsWith(':batchGet')) return { status: 400, json: [{ error: { code: 400 } }] };
        const deviceId = path.split('/').at(-2) ?? '';
        if (query.get('pageToken') === 'next/+=')
          return { json: { documents: [documentOf(nameOf(deviceId, '2'))] } };
        return { json: { documents: [documentOf(nameOf(deviceId, '1'))], nextPageToken: 'next/+=' } };
      };
      const result = await channels(wantedOf(2, ['1', '2', '3']));
      expect(result.channels.map(({ deviceId, probeId }) => deviceId + probeId)).to.deep.equal([
        'M01',
        'M02',
        'M11',
        'M12',
      ]);
      expect(result.missing).to.deep.equal([
        { deviceId: 'M0', probeId: '3' },
        { deviceId: 'M1', probeId: '3' },
      ]);
    });

    it('are read one by one where nothing else is allowed, at most four at once', async () => {
      let open = 0;
      let most = 0;
      script = ({ path }, res) => {
        if (!/channels\/\d$/.test(path)) return { status: 403, json: DENIED };
        const [deviceId = '', , probeId = ''] = path.split('/').slice(-3);
        open += 1;
        most = Math.max(most, open);
        setTimeout(() => {
          open -= 1;
          const there = probeId !== '2';
          res.writeHead(there ? 200 : 404, { 'content-type': 'application/json' });
          res.end(JSON.stringify(there ? documentOf(nameOf(deviceId, probeId)) : { error: { code: 404 } }));
        }, 5);
        return undefined;
      };
      const client = clientWith();
      const result = await channels(wantedOf(1, null), client);
      expect(result.channels).to.have.length(8);
      expect(result.missing).to.deep.equal([{ deviceId: 'M0', probeId: '2' }]);
      expect(most).to.equal(4);
      seen = [];
      await channels(wantedOf(1), client);
      expect(seen.map(({ method }) => method)).to.deep.equal(['GET']);
    });

    it('of a device that is refused go unanswered; refused altogether, access is lost', async () => {
      script = ({ path }) => {
        const [deviceId = '', , probeId = ''] = path.split('/').slice(-3);
        if (!path.includes('/channels/') || deviceId === 'M0') return { status: 403, json: DENIED };
        return { json: documentOf(nameOf(deviceId, probeId)) };
      };
      const result = await channels(wantedOf(2));
      expect(result.channels.map(({ deviceId }) => deviceId)).to.deep.equal(['M1']);
      expect(result.unanswered).to.deep.equal([{ deviceId: 'M0', probeId: '1' }]);
      expect((await faultOf(channels(wantedOf(1)))).kind).to.equal('forbidden');
    });

    it('of a device that is refused cost the other accounts nothing', async () => {
      script = (one) => {
        const names = one.path.endsWith(':batchGet') ? namesIn(one) : [one.path];
        if (names.some((name) => name.includes('/M0/'))) return { status: 403, json: DENIED };
        return { json: one.method === 'POST' ? names.map(found) : documentOf(nameOf('M1', '1')) };
      };
      const client = clientWith();
      await faultOf(channels(wantedOf(1), client));
      expect((await channels(wantedOf(2), client)).unanswered).to.have.length(1);
      seen = [];
      await channels([{ deviceId: 'M5', probeIds: ['1'] }], client);
      expect(seen.map(({ path }) => path)).to.deep.equal([`/v1/${DOCS}:batchGet`]);
    });

    it('refused for want of a fresh token are not asked for in other ways', async () => {
      script = () => ({ status: 401, json: [{ error: { code: 401 } }] });
      expect((await faultOf(channels(wantedOf(9)))).kind).to.equal('unauthorized');
      expect(seen).to.have.length(1);
    });
  });

  it('is ended by its signal', async () => {
    const stop = new AbortController();
    script = () => void stop.abort();
    const hosts = { firebase: base, identity: base, token: base, firestore: base, storage: base };
    const provider = {
      name: 'thermoworks',
      apiKey: 'K',
      appId: 'a',
      referer: 'r',
      hosts,
      projectId: 'p',
    } as const;
    const client = createCloudClient({ provider, signal: stop.signal });
    clients.push(client);
    expect((await faultOf(client.devices('AT-S3CRET', 'acc'))).reason).to.equal('aborted');
    expect(seen).to.have.length(1);
  });
});
