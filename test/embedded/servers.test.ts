import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Client } from 'pg';
import { openServers } from '../../src/embedded/servers.js';
import { createLogger } from '../../src/logger.js';
import { killHard, runApart } from '../support/other-process.js';
import { waitFor } from '../support/wait-for.js';

const APART = 'test/embedded/other-process.ts';
const logger = createLogger({ level: 'error', format: 'pretty' });

describe('openServers', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-'));
  const pidFile = join(dataDir, 'postgres/postmaster.pid');
  const pid = () => Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  after(() => rmSync(dataDir, { recursive: true }));

  it('stops a server when the last of those who use it is done', async () => {
    const [first, second] = await Promise.all([
      openServers({ dataDir, logger }),
      openServers({ dataDir, logger }),
    ]);
    expect(second.databaseUrl).to.equal(first.databaseUrl);
    expect(first.redisUrl).to.equal(undefined);
    await first.close();
    expect(await canConnect(second.databaseUrl)).to.equal(true);
    await second.close();
    expect(await canConnect(second.databaseUrl)).to.equal(false);
  });

  it('leaves a live process its server, and does not wait for a killed one', async () => {
    const { child } = await runApart(APART, ['open', dataDir]);
    const shared = await openServers({ dataDir, logger });
    await shared.close();
    expect(await canConnect(shared.databaseUrl)).to.equal(true);
    await killHard(child);
    await (await openServers({ dataDir, logger })).close();
    expect(await canConnect(shared.databaseUrl)).to.equal(false);
  });

  it('starts a server again that died, on the same port', async () => {
    const quiet = createLogger({ level: 'error', format: 'pretty' });
    const { databaseUrl, close } = await openServers({ dataDir, logger: quiet });
    const before = pid();
    process.kill(before, 'SIGKILL');
    await waitFor(async () => pid() !== before && (await canConnect(databaseUrl)), {
      what: 'the server again',
    });
    await close();
    expect(await canConnect(databaseUrl)).to.equal(false);
  });
});

async function canConnect(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}
