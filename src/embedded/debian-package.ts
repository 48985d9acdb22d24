import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '../logger.js';
import { withLock } from './lock-file.js';

const run = promisify(execFile);
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
// Without a network the answer has to come in reasonable time.
const PATIENCE = [
  '-o',
  'Acquire::Retries=1',
  '-o',
  'Acquire::http::Timeout=15',
  '-o',
  'Acquire::https::Timeout=15',
];

/** A package's files under `root`, as in `/`. */
export interface UnpackedPackage {
  root: string;
  /** For LD_LIBRARY_PATH. */
  libraryPath: string;
}

/**
 * Debian's package with what it needs and the machine has not, unpacked into `cacheDir` and not installed: no root
 * needed, nothing of the system changed. Undefined where there is no apt-get, or no network; a warning says why.
 */
export async function unpackDebianPackage(options: {
  name: string;
  cacheDir: string;
  logger: Logger;
}): Promise<UnpackedPackage | undefined> {
  const { name, cacheDir, logger } = options;
  if (!existsSync('/usr/bin/apt-get')) return undefined;
  const root = join(cacheDir, name);
  try {
    mkdirSync(cacheDir, { recursive: true });
    await withLock(`${root}.lock`, 300_000, async () => {
      if (existsSync(root)) return;
      logger.info('fetching a Debian package', { package: name, into: root });
      await fetchInto(root, options);
    });
    return { root, libraryPath: libraryFolders(root).join(':') };
  } catch (error) {
    logger.warn('no Debian package', { package: name, err: error });
    return undefined;
  }
}

/** Renamed into place when whole. With the machine's package lists, or newer ones kept beside if those do not do. */
async function fetchInto(
  root: string,
  { name, cacheDir }: { name: string; cacheDir: string },
): Promise<void> {
  const draft = await mkdtemp(`${root}.draft-`);
  try {
    await download(draft, name, []).catch(async () => {
      const lists = join(cacheDir, 'apt-lists');
      mkdirSync(join(lists, 'partial'), { recursive: true });
      const own = ['-o', `Dir::State::lists=${lists}`, '-o', `Dir::Cache=${join(cacheDir, 'apt-cache')}`];
      await aptGet(draft, [...own, 'update']);
      await download(draft, name, own);
    });
    for (const file of readdirSync(draft).filter((entry) => entry.endsWith('.deb'))) {
      await run('/usr/bin/dpkg', ['-x', file, 'root'], {
        cwd: draft,
        env: { PATH: SYSTEM_PATH },
        timeout: 120_000,
      });
    }
    renameSync(join(draft, 'root'), root);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** What a simulated installation would install is what is missing here; the package itself is wanted in any case. */
async function download(folder: string, name: string, options: string[]): Promise<void> {
  const plan = await aptGet(folder, [...options, '-s', 'install', '--no-install-recommends', name]);
  const missing = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, dependency = name]) => dependency);
  await aptGet(folder, [...options, 'download', ...new Set([...missing, name])]);
}

async function aptGet(cwd: string, args: string[]): Promise<string> {
  // The sandbox user could not walk to a cache under root's home.
  const options = ['-q', '-o', 'APT::Sandbox::User=root', ...PATIENCE];
  const limits = { timeout: 180_000, maxBuffer: 16 * 1024 * 1024 };
  return (await run('/usr/bin/apt-get', [...options, ...args], { cwd, ...limits })).stdout;
}

function libraryFolders(root: string): string[] {
  return ['usr/lib', 'lib'].flatMap((base) => {
    const folder = join(root, base);
    if (!existsSync(folder)) return [];
    return [
      folder,
      ...readdirSync(folder).flatMap((entry) => (/-linux-gnu/.test(entry) ? [join(folder, entry)] : [])),
    ];
  });
}
