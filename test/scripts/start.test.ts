import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';

/** Says what it was called with, on both outputs, and ends with 7. */
const program = (name: string) => `export async function runCli(argv) {
  console.log(JSON.stringify({ name: '${name}', argv }));
  return 7;
}\n`;

describe('npm start and the command', () => {
  const root = mkdtempSync(join(tmpdir(), 'grill stats-'));
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);
  const run = (script: string, ...args: string[]) => {
    // From another folder, as `npx` may be; with an npm that leaves a trace.
    const env = { ...process.env, npm_execpath: join(root, 'npm.cjs') };
    const options = { cwd: tmpdir(), env, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, script), ...args], options);
    return { status, stdout, stderr };
  };
  const installs = () =>
    existsSync(join(root, 'installs')) ? readFileSync(join(root, 'installs'), 'utf8') : '';

  beforeEach(() => {
    rmSync(root, { recursive: true, force: true });
    for (const folder of ['scripts', 'bin']) cpSync(folder, join(root, folder), { recursive: true });
    for (const folder of ['dist/cli', 'src/cli']) mkdirSync(join(root, folder), { recursive: true });
    write('package.json', JSON.stringify({ type: 'module', engines: { node: '>=20.0.0' } }));
    write('package-lock.json', 'one');
    write('tsconfig.json', '{}');
    write(
      'npm.cjs',
      `const fs = require('node:fs');
fs.mkdirSync(__dirname + '/node_modules', { recursive: true });
fs.appendFileSync(__dirname + '/installs', process.argv.slice(2, 4).join(' ') + '\\n');
console.log('noise');`,
    );
    write('src/cli/index.ts', program('source'));
    write('dist/cli/index.js', program('built'));
    const later = Date.now() / 1000 + 60;
    utimesSync(join(root, 'dist/cli/index.js'), later, later);
  });
  after(() => rmSync(root, { recursive: true, force: true }));

  it('installs once per lock file, hands the arguments over and keeps the exit code', () => {
    const first = run('scripts/start.mjs', '--json');
    expect(first).to.include({ status: 7, stdout: '{"name":"built","argv":["up","--json"]}\n' });
    run('scripts/start.mjs');
    expect(installs()).to.equal('ci --ignore-scripts\n');
    write('package-lock.json', 'two');
    run('scripts/start.mjs');
    expect(installs()).to.equal('ci --ignore-scripts\nci --ignore-scripts\n');
  });

  it('installs again after an installation that failed', () => {
    write('npm.cjs', 'process.exit(3)');
    expect(run('scripts/start.mjs')).to.include({ status: 1, stdout: '' });
    expect(run('scripts/start.mjs').stderr).to.include('npm ci failed (exit 3)');
  });

  it('ends with one line on a Node that does not do', () => {
    write(
      'package.json',
      JSON.stringify({ type: 'module', engines: { node: '^18.0.0 || ^20.99.0 || >=99.0.0' } }),
    );
    const line = `grill-stats: Node ${process.versions.node} does not do: install Node ^18.0.0 || ^20.99.0 || >=99.0.0\n`;
    for (const script of ['scripts/start.mjs', 'bin/grill-stats.js'])
      expect(run(script)).to.include({ status: 1, stderr: line });
    expect(installs()).to.equal('');
  });

  it('runs the source when it is newer than what was built', () => {
    symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
    const later = Date.now() / 1000 + 120;
    utimesSync(join(root, 'src/cli/index.ts'), later, later);
    expect(run('bin/grill-stats.js', 'doctor').stdout).to.equal('{"name":"source","argv":["doctor"]}\n');
  });

  it('says what to do when there is nothing to run, or nothing to run it with', () => {
    rmSync(join(root, 'dist'), { recursive: true });
    expect(run('bin/grill-stats.js').stderr).to.include('tsx is not installed: run `npm ci`');
    rmSync(join(root, 'src'), { recursive: true });
    expect(run('bin/grill-stats.js')).to.include({
      status: 1,
      stderr: 'grill-stats: there is no program here: run `npm ci` and `npm run build`\n',
    });
  });
});
