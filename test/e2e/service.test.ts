import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { Webhook } from 'standardwebhooks';
import type { DataSource } from 'typeorm';
import { createSecretBox } from '../../src/accounts/secret-box.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { rowText, storedRows } from '../poller/kitchen.js';
import { openDatabase } from '../poller/parts.js';
import { at, items, openCloud } from '../simulator/cloud.js';
import { freePort, testDatabaseUrl, testQueuePrefix, testRedisUrl } from '../support/servers.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { waitFor } from '../support/wait-for.js';
import { type Answer, command, endPrograms, type Program, startProgram, untilItSays } from './program.js';

const KEY = randomBytes(32).toString('base64');
const SECRET = `whsec_${randomBytes(24).toString('base64')}`;
const TOKEN = randomBytes(24).toString('base64url');
const COOK = 'cook@here.test';
const OTHER = 'other@here.test';

interface Process extends Program {
  get(path: string): Promise<{ status: number; text: string; json: unknown }>;
}

/** Several processes on servers that are there, from before there is a database to after the last is drained. */
describe('grill-stats run', function () {
  this.timeout(90_000);
  let cloud: Awaited<ReturnType<typeof openCloud>>;
  let receiver: Receiver;
  let redis: TcpProxy;
  let db: DataSource;
  let env: NodeJS.ProcessEnv;
  let database: string;
  let one: Process;
  let two: Process;
  let consolePort: number;
  let serial: string;
  const answers: Answer[] = [];
  const bodies: string[] = [];

  before(async () => {
    cloud = await openCloud({ accounts: 2, devices: 4, seed: 3, speed: 20, now: Date.now });
    receiver = await startReceiver();
    redis = await startTcpProxy(await testRedisUrl());
    const url = new URL(await testDatabaseUrl());
    database = `test_e2e_${randomBytes(6).toString('hex')}`;
    url.pathname = `/${database}`;
    consolePort = await freePort();
    env = {
      DATABASE_URL: url.toString(),
      REDIS_URL: redis.through(await testRedisUrl()),
      QUEUE_PREFIX: testQueuePrefix(),
      CREDENTIALS_KEYS: `k1:${KEY}`,
      CONSOLE_TOKEN: TOKEN,
      THERMOWORKS_BASE_URL: cloud.simulator.url,
      ALLOW_PRIVATE_WEBHOOKS: 'true',
      POLL_CRON: '* * * * * *',
      POLL_MIN_SECONDS: '1',
      POLL_MAX_SECONDS: '1',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'json',
      DB_LOG_QUERIES: 'true',
      DB_POOL_SIZE: '2',
      HTTP_PORT: `${consolePort}`,
    };
  });
  after(async () => {
    await endPrograms();
    if (db?.isInitialized) await db.destroy();
    await admin(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await redis.close();
    await receiver.close();
    await cloud.simulator.close();
  });

  async function admin(text: string): Promise<void> {
    const client = new Client({ connectionString: await testDatabaseUrl() });
    await client.connect();
    await client.query(text);
    await client.end();
  }
  async function start(roles: string, more: NodeJS.ProcessEnv = {}): Promise<Process> {
    const port = await freePort();
    const program = startProgram(['run', '--roles', roles], { ...env, OPS_PORT: `${port}`, ...more });
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      const text = await response.text();
      bodies.push(text);
      return { status: response.status, text, json: /^[[{]/.test(text) ? JSON.parse(text) : undefined };
    };
    return { ...program, get };
  }
  const isReady = async ({ get }: Process) => (await get('/health/ready')).status === 200;
  async function cli(args: string[], stdin = ''): Promise<unknown> {
    const quiet = { LOG_LEVEL: 'error', DB_LOG_QUERIES: 'false' };
    const answer = await command([...args, '--json'], { ...env, ...quiet }, stdin);
    answers.push(answer);
    expect(answer.code, `${args.join(' ')}: ${answer.stderr}`).to.equal(0);
    return JSON.parse(answer.stdout);
  }
  const ledger = () => cloud.simulator.ledger().map(rowText).sort();
  const setClock = (body: object) => cloud.post('/_control/clock', body);
  /** Nothing more happens in the cloud, and all that it showed is stored; `value` among it. */
  async function settled(value?: number): Promise<void> {
    await setClock({ speed: 0 });
    const isThere = (row: string) => value === undefined || row.includes(` ${value} `);
    const isStored = async () => {
      const [shown, stored] = [ledger(), await storedRows(db)];
      return stored.some(isThere) && stored.join() === shown.join();
    };
    await waitFor(isStored, { what: `every reading that was shown, with ${value}` }).catch(async (error) => {
      expect(await storedRows(db)).to.deep.equal(ledger());
      throw error;
    });
  }
  async function shows(value: number): Promise<void> {
    await setClock({ advance_seconds: 10 });
    const body = { device_id: serial, probe_id: '2', readings: [{ value }] };
    expect((await cloud.post('/_control/readings', body)).status).to.equal(200);
  }
  const metric = async (process: Process, name: string) => {
    const { text } = await process.get('/metrics');
    const lines = text.split('\n').filter((line) => line.startsWith(`grill_stats_${name}`));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  const total = async (name: string) => (await metric(one, name)) + (await metric(two, name));

  it('waits, unready, for a database and for its tables', async () => {
    one = await start('poller,worker,notifier,console');
    two = await start('poller,worker,notifier');
    for (const process of [one, two]) {
      await waitFor(async () => (await process.get('/health/live')).status === 200, { timeoutMs: 30_000 });
      await untilItSays(process, 'waiting for the database');
      expect((await process.get('/health/ready')).status).to.equal(503);
      expect(at((await process.get('/health')).json, 'database.ok')).to.equal(false);
    }
    await admin(`CREATE DATABASE ${database}`);
    for (const process of [one, two]) {
      await untilItSays(process, 'waiting for migrations');
      expect((await process.get('/health/ready')).status).to.equal(503);
    }
    const done = await command(['migrate', 'up'], env);
    expect(done.code, done.stderr).to.equal(0);
    for (const process of [one, two]) await waitFor(() => isReady(process), { what: 'readiness' });
    db = await openDatabase(env.DATABASE_URL ?? '');
  });

  it('stores what the cloud shows of accounts linked by a refresh token and by a password', async () => {
    await cli(['user', 'create', '--email', COOK]);
    await cli(['user', 'create', '--email', OTHER]);
    await cli(['account', 'link', '--email', COOK, '--refresh-token-stdin'], cloud.account(0).refresh_token);
    const { email, password } = cloud.account(1);
    await cli(
      ['account', 'link', '--email', OTHER, '--thermoworks-email', email, '--password-stdin'],
      password,
    );
    serial = (await cloud.devices())[0]?.id ?? '';
    await waitFor(async () => (await storedRows(db)).some((row) => row.startsWith(serial)));
    await cli(['session', 'start', '--email', COOK, '--device', serial, '--name', 'Saturday']);
    await cloud.post('/_control/faults', { account: cloud.account(0).email, set: 'rotate_strict' });
    await db.query('UPDATE thermoworks_credentials SET expires_at = now()');
    const stored = (await storedRows(db)).length;
    await waitFor(async () => (await storedRows(db)).length > stored + 100, {
      what: 'a hundred more readings',
    });
    await settled();
  });

  it('rolls up what it stored, to the last bit', async () => {
    const rollUps = () =>
      db.query(
        `SELECT s.reading_count AS count, s.temperature_sum_hundredths::integer AS sum, s.min_temperature AS min,
         s.max_temperature AS max, s.avg_temperature AS avg, array_agg(r.value ORDER BY r.measured_at) AS values
       FROM grilling_sessions g JOIN session_probe_stats s ON s.session_id = g.id
       JOIN readings r ON r.probe_id = s.probe_id AND r.measured_at >= g.start_time
       WHERE g.name = 'Saturday' GROUP BY g.id, s.session_id, s.probe_id`,
      );
    await setClock({ speed: 20 });
    await waitFor(
      async () => {
        const found = await rollUps();
        return found.length === 3 && found.every(({ count }: { count: number }) => count > 5);
      },
      { timeoutMs: 60_000, what: 'some readings of each probe' },
    );
    await settled();
    const rows = await rollUps();
    for (const { values, ...roll } of rows) {
      const hundredths = values.map((value: number) => Math.round(value * 100));
      const sum = hundredths.reduce((a: number, b: number) => a + b, 0);
      expect({ ...roll, avg: Math.round(roll.avg * 1e6) }).to.deep.equal({
        count: values.length,
        sum,
        min: Math.min(...values),
        max: Math.max(...values),
        avg: Math.round((sum / values.length) * 1e4),
      });
    }
  });

  it('delivers an alert once, signed', async () => {
    await cli(
      [
        'channel',
        'create',
        '--email',
        COOK,
        '--kind',
        'webhook',
        '--url',
        `${receiver.url}/cook`,
        '--secret-stdin',
      ],
      SECRET,
    );
    await cli(['channel', 'create', '--email', OTHER, '--kind', 'webhook', '--url', `${receiver.url}/other`]);
    const target = ['--type', 'target', '--target-temperature', '203', '--temperature-unit', 'F'];
    const more = ['--hold-seconds', '0', '--name', 'Brisket done'];
    const alert = await cli([
      'alert',
      'create',
      '--email',
      COOK,
      '--device',
      serial,
      '--probe',
      '2',
      ...target,
      ...more,
    ]);
    await cloud.post('/_control/readings', { device_id: serial, manual: true });
    for (const value of [200.1, 203.2, 204.5]) {
      await shows(value);
      await settled(value);
    }
    await waitFor(() => receiver.received.length > 0, { what: 'the webhook' });
    await waitFor(
      async () => (await db.query("SELECT FROM notifications WHERE status = 'delivered'")).length === 1,
    );
    const [first] = receiver.received;
    expect(receiver.received).to.have.lengthOf(1);
    const message = new Webhook(SECRET).verify(first?.body ?? '', first?.headers ?? {});
    expect(message).to.deep.include({ type: 'alert.fired' });
    expect(at(message, 'alert.id')).to.equal(at(alert, 'id'));
    expect(at(message, 'reading.value')).to.equal(203.2);
    expect(first?.headers['webhook-id']).to.equal((await db.query('SELECT id FROM notifications'))[0].id);
  });

  it('stores directly while the queue is away, and goes on with it', async () => {
    await redis.set({ kind: 'refuse' });
    await waitFor(async () => !(await isReady(one)), { what: 'an unready process' });
    await shows(190.5);
    await settled(190.5);
    expect((await storedRows(db)).filter((row) => row.includes(' 190.5 '))).to.have.lengthOf(1);
    await redis.set({ kind: 'pass' });
    for (const process of [one, two]) await waitFor(() => isReady(process), { what: 'readiness' });
    const before = await total('ingest_batch_readings_count');
    await shows(191.5);
    await settled(191.5);
    // A worker counts after the commit that has been seen.
    await waitFor(async () => (await total('ingest_batch_readings_count')) > before, {
      what: 'a counted batch',
    });
  });

  it('shows its figures', async () => {
    const stored = (await storedRows(db)).length;
    expect(await total('readings_stored_total')).to.equal(stored);
    const health = (await one.get('/health')).json;
    expect(at(health, 'status')).to.equal('ready');
    expect(at(health, 'accounts')).to.deep.equal({ active: 2, degraded: 0, needs_reauth: 0, paused: 0 });
    expect(at(health, 'pool.size')).to.be.within(1, 22);
    expect(at(health, 'queues.readings.waiting')).to.equal(0);
    for (const name of ['polls_total{outcome="ok"}', 'cloud_requests_total{call="devices",status="200"}'])
      expect(await total(name), name).to.be.greaterThan(5);
    expect(await total('token_refreshes_total{outcome="refreshed"}')).to.equal(2);
    expect(await total('alert_events_total')).to.equal(1);
    expect(await total('deliveries_total')).to.equal(1);
    const response = await fetch(`http://127.0.0.1:${consolePort}/health`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    bodies.push(await response.text());
    expect(response.status).to.equal(200);
  });

  it('tells the owner once when the cloud refuses an account, and polls it no more', async () => {
    await cloud.post('/_control/faults', { account: cloud.account(1).email, set: 'revoked' });
    await db.query(
      'UPDATE thermoworks_credentials SET expires_at = now() WHERE user_id = (SELECT id FROM users WHERE email = $1)',
      [OTHER],
    );
    const told = () => receiver.received.filter(({ path }) => path === '/other');
    await waitFor(() => told().length > 0, { what: 'the webhook' });
    expect(JSON.parse(told()[0]?.body ?? '')).to.deep.include({ type: 'account.needs_reauth' });
    await waitFor(async () => at((await one.get('/health')).json, 'accounts.needs_reauth') === 1);
    const row = "SELECT last_polled_at FROM thermoworks_credentials WHERE status = 'needs_reauth'";
    const before = await db.query(row);
    const polls = await total('polls_total');
    await waitFor(async () => (await total('polls_total')) > polls + 1, { what: 'polls of the other one' });
    expect(await db.query(row)).to.deep.equal(before);
    expect(told()).to.have.lengthOf(1);
  });

  it('takes a poll that is under way to its end, then exits 0; at once with 1 on a second signal', async () => {
    await shows(192.5);
    await cloud.request('/_control/requests', { method: 'DELETE' });
    await cloud.post('/_control/faults', { route: 'query', delay_ms: 1500, times: 1 });
    const taken = async () =>
      Number(at(items((await cloud.request('/_control/faults')).json)[0], 'hits')) > 0;
    await waitFor(taken, { what: 'a poll that is answered late' });
    const codes = await Promise.all([one.stop(), two.stop('SIGINT')]);
    const said = [one, two].flatMap(({ output }) => output.stderr.match(/^.*"level":"(?!debug).*$/gm) ?? []);
    expect(codes, said.slice(-20).join('\n')).to.deep.equal([0, 0]);
    expect(await db.query('SELECT FROM thermoworks_credentials WHERE lease_owner IS NOT NULL')).to.deep.equal(
      [],
    );

    await cloud.request('/_control/faults', { method: 'DELETE' });
    await cloud.post('/_control/faults', { route: 'query', delay_ms: 30_000 });
    const three = await start('poller,worker');
    // What the others enqueued last; the cloud would not tell again.
    await settled(192.5);
    await waitFor(taken, { timeoutMs: 30_000, what: 'a poll that is not answered' });
    three.child.kill('SIGTERM');
    await untilItSays(three, '"stopping"');
    expect(await three.stop()).to.equal(1);
    expect(three.output.stderr).to.match(/"not drained".*"polls"/);
  });

  it('exits 1 on a schema that is newer than itself', async () => {
    await db.query(
      "INSERT INTO typeorm_migrations (timestamp, name) VALUES (9999999999999, 'Later9999999999999')",
    );
    const newer = await start('worker');
    expect(await newer.ended).to.equal(1);
    expect(newer.output.stderr).to.include(
      'the schema is newer than this program: it has Later9999999999999',
    );
  });

  it('exits 2 without what it needs, and names all of it', async () => {
    const none = await command(['run'], {});
    expect(none.code).to.equal(2);
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'CREDENTIALS_KEYS', 'CONSOLE_TOKEN'])
      expect(none.stderr).to.include(name);
    const some = await command(['run', '--roles', 'poller'], {
      DATABASE_URL: env.DATABASE_URL,
      REDIS_URL: env.REDIS_URL,
    });
    expect([some.code, some.stderr]).to.deep.equal([
      2,
      'grill-stats: run needs CREDENTIALS_KEYS: set it, or use `grill-stats up`\n',
    ]);
    expect((await command(['run', '--roles', 'cook'], env)).code).to.equal(2);
  });

  it('never wrote a secret anywhere', async () => {
    const box = createSecretBox([{ id: 'k1', key: Buffer.from(KEY, 'base64') }]);
    const sealed = await db.query('SELECT user_id, access_token, refresh_token FROM thermoworks_credentials');
    const kept = sealed.flatMap(({ user_id, access_token, refresh_token }: Record<string, string>) => [
      box.open(access_token ?? '', `thermoworks_credentials.access_token.${user_id}`),
      box.open(refresh_token ?? '', `thermoworks_credentials.refresh_token.${user_id}`),
    ]);
    const passwords = [env.DATABASE_URL, env.REDIS_URL].map((url) =>
      decodeURIComponent(new URL(url ?? '').password),
    );
    const secrets: string[] = [
      ...cloud.simulator.accounts.flatMap(({ refresh_token, password }) => [refresh_token, password]),
      ...kept,
      // What every access token begins with.
      String(kept[0]).slice(0, 36),
      SECRET,
      SECRET.slice('whsec_'.length),
      TOKEN,
      KEY,
      ...passwords.filter((password) => password.length > 7),
    ];
    const client = new Redis(await testRedisUrl());
    const jobs: string[] = [];
    for (const key of await client.keys(`{${env.QUEUE_PREFIX}-*`))
      if ((await client.type(key)) === 'hash') jobs.push(JSON.stringify(await client.hgetall(key)));
    await client.quit();
    const rows: string[] = [];
    for (const table of ['dead_letters', 'notifications', 'notification_attempts', 'alert_events', 'devices'])
      rows.push(JSON.stringify(await db.query(`SELECT * FROM ${table}`)));
    const errors = await db.query('SELECT last_error, status FROM thermoworks_credentials');
    const logs = [one, two].map(({ output }) => output.stdout + output.stderr);
    expect(logs.join('').length, 'something to search').to.be.greaterThan(100_000);
    expect(logs.join('')).to.include('"query":"SELECT').and.to.include('needs_reauth');
    expect(jobs.join('')).to.include('"data"').and.to.include('notificationId');
    const places = { logs, jobs, rows, errors: [JSON.stringify(errors)], bodies };
    const told = { answers: answers.map(({ stdout, stderr }) => stdout + stderr) };
    for (const [place, texts] of Object.entries({ ...places, ...told }))
      for (const [index, secret] of secrets.entries())
        expect(texts.join('\n').includes(secret), `secret ${index} in ${place}`).to.equal(false);
  });
});
