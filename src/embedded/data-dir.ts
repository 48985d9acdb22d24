import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { linkIfAbsent, tryLock, writeHolder } from './lock-file.js';

/** The real path of DATA_DIR, made (0700) if it is not there. @throws InputError */
export function ensureDataDir(dataDir: string): string {
  const path = resolve(dataDir);
  try {
    makeFolder(path, 0o700);
    return realpathSync(path);
  } catch (error) {
    const message = `DATA_DIR ${path} cannot be used (${messageOf(error)}): set it to a folder that you may write`;
    throw new InputError(message, { cause: error });
  }
}

/**
 * One folder after the other: Node's own recursive mkdir gives its mode to the parents too, and never ends where a
 * parent that exists takes no folder, as below /proc.
 */
function makeFolder(path: string, mode?: number): void {
  if (isFolder(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (!isFolder(path)) throw error; // somebody else may just have made it
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The secret in a 0600 file, made on the first call; of two processes at once the second reads the first's. */
export function keepSecret(path: string, make: () => string): string {
  const draft = `${path}.${process.pid}.draft`;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    writeFileSync(draft, `${make()}\n`, { mode: 0o600 });
    linkIfAbsent(draft, path);
    return readFileSync(path, 'utf8').trim();
  } finally {
    rmSync(draft, { force: true });
  }
}

/** What `up` generates on its first start. `credentialsKeys` is in the form of CREDENTIALS_KEYS. */
export function loadOrCreateSecrets(dataDir: string): { credentialsKeys: string; consoleToken: string } {
  const folder = ensureDataDir(dataDir);
  return {
    credentialsKeys: keepSecret(
      join(folder, 'credentials-keys'),
      () => `k1:${randomBytes(32).toString('base64')}`,
    ),
    consoleToken: keepSecret(join(folder, 'console-token'), () => randomBytes(24).toString('base64url')),
  };
}

export interface Claim {
  /** Tells a second `up` where the first one is reached. */
  setAddress(url: string): void;
  release(): void;
}

/** Makes this process the only `up` of DATA_DIR. @throws InputError with the other one's pid and address */
export function claimDataDir(dataDir: string): Claim {
  const folder = ensureDataDir(dataDir);
  const path = join(folder, 'up.lock');
  const holder = tryLock(path);
  if (holder) {
    const where = holder.address ? ` at ${holder.address}` : '';
    throw new InputError(`already running on DATA_DIR ${folder}: process ${holder.pid}${where}`);
  }
  return { setAddress: (url) => writeHolder(path, url), release: () => rmSync(path, { force: true }) };
}
