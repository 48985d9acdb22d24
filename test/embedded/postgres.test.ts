import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { Client } from 'pg';
import { type PostgresOptions, startPostgres } from '../../src/embedded/postgres.js';
import { findPackagedPostgres } from '../../src/embedded/postgres-binaries.js';
import type { EmbeddedServer } from '../../src/embedded/server-process.js';
import { InputError } from '../../src/errors.js';
import { createLogger } from '../../src/logger.js';
import { killHard, runApart, withoutRoot } from '../support/other-process.js';
import { waitFor } from '../support/wait-for.js';

const APART = 'test/embedded/other-process.ts';
const logger = createLogger({ level: 'error', format: 'pretty' });
const isRoot = process.getuid?.() === 0;

describe('startPostgres', () => {
  // 0700, as root's home is; with a space.
  const parent = mkdtempSync(join(tmpdir(), 'grill stats-'));
  const dataDir = join(parent, 'data');
  const started: EmbeddedServer[] = [];

  const start = async (options: Partial<PostgresOptions> = {}) => {
    const server = await startPostgres({ dataDir, logger, ...options });
    started.push(server);
    return server;
  };

  /** Starts on data whose postmaster.pid names that process. */
  const startOver = async (pid: number) => {
    const { port, stop } = await start();
    await stop();
    const file = `${pid}\n${join(dataDir, 'postgres')}\n1700000000\n${port}\n\n127.0.0.1\n\nready\n`;
    writeFileSync(join(dataDir, 'postgres/postmaster.pid'), file, { mode: 0o600 });
    expect((await start()).adopted).to.equal(false);
  };

  afterEach(async () => {
    for (const server of started.splice(0)) await server.stop();
  });
  after(() => rmSync(parent, { recursive: true, force: true }));

  it('makes the database on the first start, and finds it again on the same port', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept (n int)');
    expect(await query(first.url, "SELECT current_setting('server_encoding') AS encoding")).to.deep.equal([
      { encoding: 'UTF8' },
    ]);
    await first.stop();
    expect(first.isRunning()).to.equal(false);
    const second = await start();
    expect([second.url, second.adopted]).to.deep.equal([first.url, false]);
    expect(await query(second.url, 'SELECT n FROM kept')).to.deep.equal([]);
    expect(statSync(join(dataDir, 'postgres-password')).mode & 0o777).to.equal(0o600);
    expect(statSync(dataDir).mode & 0o777).to.equal(0o700);
  });

  it('refuses a wrong password', async () => {
    const url = new URL((await start()).url);
    url.password = 'guess';
    const answer = await query(url.toString(), 'SELECT 1').catch((error) => error.message);
    expect(answer).to.include('password authentication failed');
  });

  it('takes another port when its own is taken', async () => {
    const first = await start();
    const elsewhere = join(parent, 'elsewhere');
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, 'postgres-port'), `${first.port}`);
    const second = await start({ dataDir: elsewhere });
    expect(second.port).not.to.equal(first.port);
  });

  it('adopts the server that a killed process left', async () => {
    const { child, answer } = await runApart(APART, ['postgres', dataDir]);
    await killHard(child);
    const server = await start();
    expect(answer).to.include({ pid: server.pid });
    expect(server.adopted).to.equal(true);
    await server.stop();
    expect(server.isRunning()).to.equal(false);
  });

  it('keeps committed rows when the server itself is killed', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE crashed AS SELECT 1 AS n');
    process.kill(first.pid, 'SIGKILL');
    await waitFor(() => !first.isRunning(), { what: 'the death of the server' });
    const second = await start();
    expect(second.adopted).to.equal(false);
    expect(await query(second.url, 'SELECT n FROM crashed')).to.deep.equal([{ n: 1 }]);
  });

  it('starts over the pid file of a dead process', async () => {
    await startOver(4_000_000);
  });

  it('starts over the pid file of a process that got the number later', async () => {
    const other = spawn('sleep', ['60']);
    await startOver(other.pid ?? 0);
    expect(other.kill('SIGKILL')).to.equal(true);
  });

  it('refuses data of another major version, and says what to do', async () => {
    await (await start()).stop();
    const file = join(dataDir, 'postgres/PG_VERSION');
    const version = readFileSync(file, 'utf8');
    writeFileSync(file, '15\n');
    const error = await start().catch((reason) => reason);
    writeFileSync(file, version);
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include('PostgreSQL 15, this program brings 18').and.to.include('DATABASE_URL');
  });

  it('shows the last lines of the log when the server does not start', async () => {
    const error = await start({ settings: { shared_buffers: 'plenty' } }).catch((reason) => reason);
    expect(error.message).to.include('invalid value for parameter "shared_buffers": "plenty"');
  });

  it('runs for a user who is not root', async () => {
    const open = mkdtempSync(join(tmpdir(), 'grill stats-'));
    chmodSync(open, 0o777);
    const { child } = await runApart(APART, ['postgres', join(open, 'data')], { prefix: withoutRoot() });
    const pid = Number(readFileSync(join(open, 'data/postgres/postmaster.pid'), 'utf8').split('\n')[0]);
    await killHard(child);
    process.kill(pid, 'SIGINT');
    await waitFor(() => !isAlive(pid), { what: 'the end of the server' });
    rmSync(open, { recursive: true });
  });

  if (isRoot)
    it('runs as the owner of data that is not of root', async () => {
      const open = mkdtempSync(join(tmpdir(), 'grill stats-'));
      chmodSync(open, 0o755);
      const owned = join(open, 'data');
      mkdirSync(owned, { mode: 0o700 });
      chownSync(owned, 65534, 65534);
      // Programs where that user finds them, wherever this checkout is.
      const { folder } = await findPackagedPostgres(dataDir);
      cpSync(dirname(folder), join(open, 'native'), { recursive: true, verbatimSymlinks: true });
      const server = await start({ dataDir: owned, binaries: { folder: join(open, 'native/bin') } });
      expect(statSync(`/proc/${server.pid}`).uid).to.equal(65534);
      await server.stop();
      rmSync(open, { recursive: true });
    });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
