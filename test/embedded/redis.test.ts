import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { findToolOrSay, toolsDir } from '../../scripts/tools.js';
import { startRedis } from '../../src/embedded/redis.js';
import type { EmbeddedServer } from '../../src/embedded/server-process.js';
import { createLogger } from '../../src/logger.js';
import { killHard, runApart, withoutRoot } from '../support/other-process.js';
import { waitFor } from '../support/wait-for.js';

const APART = 'test/embedded/other-process.ts';
const logger = createLogger({ level: 'error', format: 'pretty' });

describe('startRedis', function () {
  this.timeout(120_000);
  const dataDir = mkdtempSync(join(tmpdir(), 'grill stats-'));
  const started: EmbeddedServer[] = [];
  const start = async (tools = toolsDir()) => {
    const server = await startRedis({ dataDir, toolsDir: tools, logger });
    if (!server) throw new Error('no Redis');
    started.push(server);
    return server;
  };

  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop();
  });
  after(() => rmSync(dataDir, { recursive: true }));

  it('unpacks Debian’s package where PATH has none, without root, also when two processes do it at once', async () => {
    if (!(await findToolOrSay('redis-server'))) return;
    const cache = mkdtempSync(join(tmpdir(), 'grill stats-'));
    chmodSync(cache, 0o777);
    const both = [1, 2].map(() => runApart(APART, ['unpack', cache], { prefix: withoutRoot() }));
    const [first, second] = await Promise.all(both);
    expect(first?.answer).to.have.property('root', join(cache, 'redis-server'));
    expect(second?.answer).to.deep.equal(first?.answer);
    expect(readdirSync(cache).filter((name) => /draft|lock/.test(name))).to.deep.equal([]);

    const path = process.env.PATH;
    process.env.PATH = join(cache, 'nothing');
    try {
      const { pid } = await start(cache);
      expect(readFileSync(`/proc/${pid}/maps`, 'utf8')).to.include(join(cache, 'redis-server/usr/bin'));
    } finally {
      process.env.PATH = path;
    }
    for (const server of started.splice(0)) await server.stop();
    rmSync(cache, { recursive: true });
  });

  it('answers only to its password, which no argument shows, and evicts nothing', async () => {
    if (!(await findToolOrSay('redis-server'))) return;
    const { url, pid } = await start();
    const { password, port } = new URL(url);
    const redis = new Redis(url);
    expect(await redis.config('GET', 'maxmemory-policy')).to.deep.equal(['maxmemory-policy', 'noeviction']);
    expect(await redis.config('GET', 'appendonly')).to.deep.equal(['appendonly', 'yes']);
    expect(await redis.config('GET', 'bind')).to.deep.equal(['bind', '127.0.0.1']);
    await redis.quit();
    const stranger = new Redis({ port: Number(port), lazyConnect: true, retryStrategy: () => null });
    stranger.on('error', () => undefined);
    expect(await stranger.get('key').catch((error) => error.message)).to.include('NOAUTH');
    stranger.disconnect();
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).not.to.include(password);
    expect(statSync(join(dataDir, 'redis.conf')).mode & 0o777).to.equal(0o600);
  });

  it('keeps what it acknowledged when it is killed, and its port', async () => {
    if (!(await findToolOrSay('redis-server'))) return;
    const first = await start();
    const redis = new Redis(first.url);
    await redis.set('kept', 'yes');
    redis.disconnect();
    process.kill(first.pid, 'SIGKILL');
    await waitFor(() => !first.isRunning(), { what: 'the death of the server' });
    const second = await start();
    expect([second.url, second.adopted]).to.deep.equal([first.url, false]);
    const again = new Redis(second.url);
    expect(await again.get('kept')).to.equal('yes');
    await again.quit();
  });

  it('adopts the server that a killed process left', async () => {
    if (!(await findToolOrSay('redis-server'))) return;
    const { child, answer } = await runApart(APART, ['redis', dataDir, toolsDir()]);
    await killHard(child);
    const { pid, adopted } = await start();
    expect(answer).to.include({ pid });
    expect(adopted).to.equal(true);
  });
});
