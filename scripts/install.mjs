import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { nodeVersionProblem } from '../bin/node-version.js';

const NEEDED_BYTES = 1024 ** 3;

export const root = fileURLToPath(new URL('..', import.meta.url));
const mark = `${root}node_modules/.grill-stats-lock`;

/** Node's version, free disk and installed packages: in order, put in order, or the process ends with a line why not. */
export function prepare() {
  const problem = nodeVersionProblem();
  if (problem) fail(problem);
  const hash = createHash('sha256')
    .update(readFileSync(`${root}package-lock.json`))
    .digest('hex');
  const isInstalled = existsSync(mark) && readFileSync(mark, 'utf8') === hash;
  const disk = statfsSync(root);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes < NEEDED_BYTES) {
    const line = `${Math.round(freeBytes / 1024 ** 2)} MB of disk are free at ${root}`;
    if (!isInstalled) fail(`${line}: 1 GB is needed`);
    process.stderr.write(`${line}: that may not last\n`);
  }
  if (!isInstalled) install(hash);
}

/** Without install scripts: nothing here needs them. With what development needs: the program may not be built. */
function install(hash) {
  process.stderr.write('installing packages (npm ci)\n');
  const words = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath ?? '';
  const [file, ...args] = /\.c?js$/.test(npm) ? [process.execPath, npm, ...words] : ['npm', ...words];
  // stdout stays the program's own.
  const options = {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && file === 'npm',
  };
  const { status, signal, error } = spawnSync(file, args, options);
  if (status !== 0) fail(`npm ci failed (${error?.message ?? signal ?? `exit ${status}`})`);
  writeFileSync(mark, hash);
}

function fail(line) {
  process.stderr.write(`grill-stats: ${line}\n`);
  process.exit(1);
}
