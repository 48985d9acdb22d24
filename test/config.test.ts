import { resolve } from 'node:path';
import { expect } from 'chai';
import { KNOWN_VARIABLES, loadConfig, ROLES } from '../src/config.js';

const KEY = Buffer.alloc(32, 1).toString('base64');

describe('configuration', () => {
  const problems = (env: Record<string, string>): string => {
    try {
      loadConfig(env);
      return '';
    } catch (error) {
      expect(error).to.be.instanceOf(Error).and.to.have.property('name', 'ConfigError');
      return String(error);
    }
  };

  it('has defaults for everything but servers, keys and tokens', () => {
    expect(loadConfig({})).to.deep.include({
      databaseUrl: undefined,
      redisUrl: undefined,
      dataDir: resolve('.grill-stats'),
      queuePrefix: 'grill-stats',
      roles: ROLES,
      poll: { cron: '*/5 * * * * *', minSeconds: 15, maxSeconds: 900 },
      credentialsKeys: undefined,
      http: { host: '127.0.0.1', port: undefined, publicUrl: undefined, consoleToken: undefined },
      ops: { host: '127.0.0.1', port: undefined },
      log: { level: 'info', format: 'json' },
      pool: {
        size: 10,
        maxOverflow: 20,
        recycleSeconds: 3600,
        prePing: true,
        timeoutSeconds: 30,
        statementTimeoutMs: 30_000,
        logQueries: false,
      },
      smtp: undefined,
      mqttUrl: undefined,
      allowPrivateWebhooks: undefined,
      canary: { seconds: 60, heartbeatUrl: undefined },
    });
  });

  it('logs for people on a terminal, unless told otherwise', () => {
    expect(loadConfig({}, { terminal: true }).log.format).to.equal('pretty');
    expect(loadConfig({ LOG_FORMAT: 'json' }, { terminal: true }).log.format).to.equal('json');
  });

  it('takes an empty variable for none', () => {
    const empty = Object.fromEntries(KNOWN_VARIABLES.map((name) => [name, '']));
    expect(loadConfig(empty)).to.deep.equal(loadConfig({}));
  });

  const WRONG: Record<string, string> = {
    DATABASE_URL: 'mysql://localhost',
    REDIS_URL: 'http://localhost',
    QUEUE_PREFIX: 'a:b',
    ROLES: 'poller,cook',
    THERMOWORKS_BASE_URL: 'cloud',
    POLL_CRON: 'often',
    POLL_MIN_SECONDS: '0',
    POLL_MAX_SECONDS: '1.5',
    CREDENTIALS_KEYS: `one:${KEY},one:${KEY}`,
    PUBLIC_URL: 'ftp://here',
    HTTP_PORT: '70000',
    CONSOLE_TOKEN: 'short-secret',
    OPS_PORT: 'many',
    LOG_LEVEL: 'loud',
    LOG_FORMAT: 'xml',
    DB_POOL_SIZE: '-1',
    DB_MAX_OVERFLOW: 'x',
    DB_POOL_RECYCLE: '0',
    DB_POOL_PRE_PING: 'yes',
    DB_POOL_TIMEOUT: '0',
    DB_STATEMENT_TIMEOUT: '-5',
    DB_LOG_QUERIES: '2',
    MQTT_URL: 'http://user:secret-word@broker.example.com',
    SMTP_URL: 'smtp://user:secret-word@mail.example.com',
    HEARTBEAT_URL: 'file:///tmp/secret-word',
    CANARY_SECONDS: '3601',
    ALLOW_PRIVATE_WEBHOOKS: 'maybe',
    READINGS_RETENTION_DAYS: '0',
  };
  for (const [name, value] of Object.entries(WRONG))
    it(`refuses ${name}=${value.slice(0, 20)}, saying what is allowed and not what it was`, () => {
      expect(problems({ [name]: value })).to.match(
        new RegExp(`^ConfigError: configuration: ${name} (must|may) `),
      );
    });

  it('names every wrong variable at once', () => {
    const line = problems({ ...WRONG, NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    for (const name of [...Object.keys(WRONG), 'NODE_TLS_REJECT_UNAUTHORIZED']) expect(line).to.include(name);
    for (const secret of [KEY, 'short-secret', 'secret-word']) expect(line).to.not.include(secret);
    expect(line).to.not.include('\n');
  });

  it('refuses a least interval above the longest, also beside another mistake', () => {
    const inverted = { POLL_MIN_SECONDS: '20', POLL_MAX_SECONDS: '10' };
    expect(problems(inverted)).to.include('POLL_MIN_SECONDS must not exceed POLL_MAX_SECONDS');
    const line = problems({ ...inverted, LOG_LEVEL: 'loud' });
    expect(line).to.include('POLL_MIN_SECONDS').and.to.include('LOG_LEVEL');
    expect(problems({ POLL_MIN_SECONDS: '10', POLL_MAX_SECONDS: '10' })).to.equal('');
  });

  it('takes roles in any order, each once', () => {
    expect(loadConfig({ ROLES: 'worker, poller' }).roles).to.deep.equal(['poller', 'worker']);
    expect(problems({ ROLES: ',' })).to.include('ROLES');
  });

  it('reads keys, the first to encrypt with', () => {
    const other = Buffer.alloc(32, 2).toString('base64');
    const keys = loadConfig({ CREDENTIALS_KEYS: `new:${KEY}, old:${other}` }).credentialsKeys;
    expect(keys?.map(({ id, key }) => [id, key.toString('base64')])).to.deep.equal([
      ['new', KEY],
      ['old', other],
    ]);
    expect(problems({ CREDENTIALS_KEYS: 'one:AAAA' })).to.include('base64(32 bytes)');
  });

  it('puts one origin in place of the hosts of both clouds, and nothing else', () => {
    const { providers } = loadConfig({ THERMOWORKS_BASE_URL: 'http://127.0.0.1:9000/' });
    for (const { hosts } of [providers.thermoworks, providers.eti])
      expect(new Set(Object.values(hosts))).to.deep.equal(new Set(['http://127.0.0.1:9000']));
    expect(providers.thermoworks.referer).to.equal('https://cloud.thermoworks.com/');
    expect(providers.eti.referer).to.equal('https://cloud.etiltd.com/');
    expect(loadConfig({}).providers.thermoworks.hosts.firestore).to.equal('https://firestore.googleapis.com');
  });

  it('takes lists of cluster nodes', () => {
    const url = 'redis://a:6379,redis://b:6379';
    expect(loadConfig({ REDIS_URL: url }).redisUrl).to.equal(url);
  });
});
