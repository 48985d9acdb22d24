import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { withoutRoot } from '../support/other-process.js';
import { createEmptyDatabase, freePort, testQueuePrefix, testRedisUrl } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';
import { readCompose } from './compose.js';

const compose = readCompose('compose.yaml', {
  POSTGRES_PASSWORD: 'for-postgres',
  REDIS_PASSWORD: 'for-redis',
  CREDENTIALS_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
  CONSOLE_TOKEN: 'for-the-console-alone',
});

/** What the images hold, without containers: the built program, no source, somebody who is not root. */
describe('containers', () => {
  const image = mkdtempSync(join(tmpdir(), 'grill-stats-image-'));
  const dataDir = join(tmpdir(), `grill-stats-home-${randomBytes(6).toString('hex')}`);
  const children: ChildProcess[] = [];
  let database: Awaited<ReturnType<typeof createEmptyDatabase>>;
  let local: Record<string, string>;

  before(async () => {
    for (const path of ['bin', 'package.json']) cpSync(path, join(image, path), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules'), join(image, 'node_modules'));
    const tsc = [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.build.json',
      '--outDir',
      join(image, 'dist'),
    ];
    await ended(spawn(process.execPath, tsc, { stdio: 'ignore' })); // errors of types are another check's
    cpSync('src/console/assets', join(image, 'dist/console/assets'), { recursive: true });
    database = await createEmptyDatabase();
    local = {
      DATABASE_URL: database.url,
      REDIS_URL: await testRedisUrl(),
      QUEUE_PREFIX: testQueuePrefix(),
      THERMOWORKS_BASE_URL: 'http://127.0.0.1:9',
      OPS_HOST: '127.0.0.1',
    };
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await database.drop();
    for (const path of [image, dataDir]) rmSync(path, { recursive: true, force: true });
  });

  function run(words: string[], env: Record<string, string>): { child: ChildProcess; output: () => string } {
    const [file = '', ...args] = [...withoutRoot(), ...words];
    const child = spawn(file, args, {
      cwd: image,
      env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));
    return { child, output: () => output };
  }

  /** The service's command with its environment, but for addresses. */
  async function start(name: string, more: Record<string, string> = {}) {
    const service = compose.services[name];
    if (!service) throw new Error(`no service ${name}`);
    const env = { ...service.environment, ...more };
    return { service, env, ...run([process.execPath, 'bin/grill-stats.js', ...service.command], env) };
  }

  /** Starts it, asks as its health check does until that is content, and ends it as its container would end. */
  async function liveAndDie(name: string, more: Record<string, string> = {}): Promise<number | null> {
    const { service, env, child, output } = await start(name, more);
    const check = 'test' in service.healthcheck ? service.healthcheck.test : [];
    expect(check.slice(0, 2)).to.deep.equal(['CMD', 'node']);
    const isHealthy = async () => {
      if (child.exitCode !== null) return 'ended';
      return (await ended(run([process.execPath, ...check.slice(2)], env).child)) === 0;
    };
    try {
      expect(
        await waitFor(isHealthy, { timeoutMs: 90_000, everyMs: 500, what: `${name} to be healthy` }),
      ).to.equal(true);
      child.kill('SIGTERM');
      return await ended(child);
    } catch (error) {
      throw new Error(`${name}: ${output()}`, { cause: error });
    }
  }

  it('the health check fails where nothing answers', async () => {
    const { child, output } = run([process.execPath, 'bin/healthcheck.js'], {
      OPS_PORT: `${await freePort()}`,
    });
    expect(await ended(child)).to.equal(1);
    expect(output()).to.match(/^127\.0\.0\.1:\d+: connect ECONNREFUSED/);
    expect(await ended(run([process.execPath, 'bin/healthcheck.js'], {}).child)).to.equal(1);
  });

  it('migrate ends when the schema is the newest, and again', async function () {
    this.timeout(120_000);
    for (const times of [1, 2]) {
      const { child, output } = await start('migrate', local);
      expect([times, await ended(child)], output()).to.deep.equal([times, 0]);
    }
  });

  for (const name of ['poller', 'worker', 'notifier', 'console'])
    it(`${name} becomes healthy and ends drained on SIGTERM`, async function () {
      this.timeout(120_000);
      const ports = {
        OPS_PORT: `${await freePort()}`,
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: `${await freePort()}`,
      };
      expect(await liveAndDie(name, { ...local, ...ports })).to.equal(0);
    });

  it('home becomes healthy with servers of its own and ends drained on SIGTERM', async function () {
    this.timeout(180_000);
    expect(
      await liveAndDie('home', {
        DATA_DIR: dataDir,
        OPS_HOST: '127.0.0.1',
        OPS_PORT: `${await freePort()}`,
        HTTP_HOST: '127.0.0.1',
        HTTP_PORT: `${await freePort()}`,
      }),
    ).to.equal(0);
  });
});

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.exitCode;
}
