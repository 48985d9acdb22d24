// Makes docs/images/console.png from the real thing: `grill-stats up` on an empty data directory, its page in Chromium
// once the demo's alert has fired and its cook was detected (about six minutes). `npm run picture`.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';
import { z } from 'zod';
import { findTool } from './tools.js';

const line = z.object({ event: z.string(), url: z.string().optional(), kind: z.string().optional() });
const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-picture-'));
const up = spawn(process.execPath, ['bin/grill-stats.js', 'up', '--json'], {
  env: { ...process.env, DATA_DIR: dataDir, DATABASE_URL: '', REDIS_URL: '' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => up.once('exit', resolve));

async function whenCooking(): Promise<string> {
  let url = '';
  const missing = new Set(['alert fired', 'session started']);
  for await (const text of createInterface({ input: up.stdout })) {
    const { event, url: address, kind } = line.parse(JSON.parse(text));
    if (event === 'up') url = address ?? '';
    missing.delete(`${event} ${kind}`);
    if (missing.size === 0) return url;
  }
  throw new Error(`up ended before: ${[...missing].join(', ')}`);
}

async function photograph(url: string): Promise<void> {
  const tool = await findTool('chromium');
  if (!tool) throw new Error("no chromium: install Debian's package chromium");
  const browser = await chromium.launch({
    executablePath: tool.path,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-sync',
    ],
  });
  const password = readFileSync(join(dataDir, 'console-token'), 'utf8').trim();
  const page = await browser.newPage({
    viewport: { width: 1180, height: 760 },
    httpCredentials: { username: 'operator', password },
  });
  await page.goto(url);
  await page.screenshot({ path: 'docs/images/console.png' });
  await browser.close();
}

try {
  await photograph(await whenCooking());
} finally {
  up.kill('SIGTERM');
  await ended;
  rmSync(dataDir, { recursive: true, force: true });
}
