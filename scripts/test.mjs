import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare, root } from './install.mjs';

const LINGER_MS = 20_000;

prepare();
// Tests make their own servers; DATABASE_TEST_URL and REDIS_TEST_URL are for those who have some.
delete process.env.DATABASE_URL;
delete process.env.REDIS_URL;

let running;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    interrupted = true;
    running?.kill(signal);
  });

const files = process.argv.slice(2);
let failedChecks = 0;
if (files.length === 0) {
  for (const script of ['typecheck', 'lint', 'deadcode', 'build'])
    await check(script, 'npm', ['run', '--silent', script]);
  await check('tools', process.execPath, ['--import', 'tsx', 'scripts/tools.ts'], { isShown: true });
}
const { passed, failed } = interrupted ? { passed: 0, failed: 0 } : await runMocha(files);
const allFailed = failed + failedChecks + (interrupted ? 1 : 0);
process.stdout.write(`${passed} passed, ${allFailed} failed\n`);
process.exit(allFailed > 0 ? 1 : 0);

/** One line with its seconds; what it wrote only if it failed, or is meant to be read. */
async function check(name, file, args, { isShown = false } = {}) {
  if (interrupted) return;
  const start = performance.now();
  const { code, output } = await run(file, args, 'pipe');
  if (code !== 0) failedChecks++;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${name} ${code === 0 ? 'ok' : 'failed'} ${seconds} s\n`);
  if (code !== 0 || isShown) process.stdout.write(output);
}

/** Mocha's counts; one failure where it ended without counting, or did not end. */
async function runMocha(args) {
  const folder = mkdtempSync(join(tmpdir(), 'grill-stats-counts-'));
  const countsFile = join(folder, 'counts.json');
  process.env.MOCHA_COUNTS_FILE = countsFile;
  let ended = false;
  let lingers = false;
  const watch = setInterval(() => {
    if (ended || !existsSync(countsFile)) return;
    ended = true;
    setTimeout(() => {
      lingers = true;
      running?.kill('SIGKILL');
    }, LINGER_MS).unref();
  }, 250);
  const mocha = ['node_modules/mocha/bin/mocha.js', '--reporter', './scripts/counting-reporter.cjs'];
  if (!process.stdout.isTTY) mocha.push('--no-color');
  const { code } = await run(
    process.execPath,
    [...mocha, ...(args.length > 0 ? args : ['test/**/*.test.ts'])],
    'inherit',
  );
  clearInterval(watch);
  const counts = existsSync(countsFile)
    ? JSON.parse(readFileSync(countsFile, 'utf8'))
    : { passed: 0, failed: 0 };
  rmSync(folder, { recursive: true });
  if (lingers) process.stdout.write('mocha did not end by itself: a test left something open\n');
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function run(file, args, stdio) {
  return new Promise((resolve) => {
    const shell = process.platform === 'win32' && file === 'npm';
    running = spawn(file, args, { cwd: root, stdio: ['ignore', stdio, stdio], shell });
    let output = '';
    for (const stream of [running.stdout, running.stderr]) stream?.on('data', (chunk) => (output += chunk));
    running.once('error', (error) => resolve({ code: 1, output: `${error.message}\n` }));
    running.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
