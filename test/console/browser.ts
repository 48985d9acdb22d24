import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import type { Tool } from '../../scripts/tools.js';
import { TOKEN } from './console.js';

const CHROMIUM = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...[
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
  ],
];

/** A browser of its own that reaches nothing but this machine, signed in as operator. */
export async function openBrowser(
  tool: Tool,
): Promise<{ browser: BrowserContext; close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'grill-stats-chromium-'));
  const env = tool.libraryPath ? { ...process.env, LD_LIBRARY_PATH: tool.libraryPath } : process.env;
  const browser = await chromium.launchPersistentContext(folder, {
    executablePath: tool.path,
    args: CHROMIUM,
    httpCredentials: { username: 'operator', password: TOKEN },
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? ''])),
  });
  const close = async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { browser, close };
}
