import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { testDatabaseUrl } from '../support/servers.js';

describe('npm run pool-test', () => {
  async function poolTest(
    seconds: number,
    env: Record<string, string>,
  ): Promise<{ code: unknown; lines: string[] }> {
    const words = ['--import', 'tsx', 'scripts/pool-test.ts', '--seconds', `${seconds}`];
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const [code] = await once(child, 'close');
    return { code, lines: output.trim().split('\n') };
  }
  const figures = (lines: string[]) => lines.filter((line) => / s {2}size \d/.test(line));

  it('loads the pool once, twice and five times, and shows its figures each second', async () => {
    const { code, lines } = await poolTest(1.2, {
      DATABASE_URL: await testDatabaseUrl(),
      DB_POOL_SIZE: '2',
      DB_MAX_OVERFLOW: '2',
    });
    expect(lines[0]).to.equal('1. the pool: size 2, overflow 2, recycle 3600 s, pre-ping on, timeout 30 s');
    expect(lines.filter((line) => line.startsWith('2.'))).to.deep.equal([
      '2. 2 callers at once: 1 times the pool',
      '2. 4 callers at once: 2 times the pool',
      '2. 10 callers at once: 5 times the pool',
    ]);
    expect(lines.filter((line) => line.startsWith('3.'))).to.deep.equal(Array(3).fill('3. all returned'));
    expect(figures(lines)).to.have.length.of.at.least(9);
    expect(figures(lines).some((line) => line.includes('size 4  out 4  idle 0  waiting 6'))).to.equal(true);
    expect(lines.at(-2)).to.match(/^4\. at most: size 4 of 4, waiting \d+; at the end: size \d {2}out 0 /);
    expect([code, lines.at(-1)]).to.deep.equal([0, 'PASS']);
  });

  it('fails, and says why, when callers are turned away', async () => {
    const { code, lines } = await poolTest(0.2, {
      DATABASE_URL: await testDatabaseUrl(),
      DB_POOL_SIZE: '2',
      DB_STATEMENT_TIMEOUT: '10',
    });
    expect(code).to.equal(1);
    expect(lines.at(-1)).to.match(/^FAIL: .*statement timeout/);
  });

  it('uses the embedded server without DATABASE_URL', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-pool-'));
    try {
      const { code, lines } = await poolTest(0.2, { DATABASE_URL: '', DATA_DIR: dataDir, DB_POOL_SIZE: '2' });
      expect([code, lines.at(-1)]).to.deep.equal([0, 'PASS']);
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  });
});
