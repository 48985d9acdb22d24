import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A small file system of its own, in a file: full when we say so, and nobody else's. */
export interface Disk {
  /** Where it is mounted. */
  path: string;
  /** @throws where that is impossible: it needs root, ext4 and a loop device */
  mount(): void;
  /** Takes all space that is left. */
  fill(): void;
  free(): void;
  /** @throws while anybody uses it */
  unmount(): void;
}

export function createDisk(megabytes: number): Disk {
  const folder = join(tmpdir(), `grill-stats-disk-${process.pid}`);
  const image = join(folder, 'image');
  const path = join(folder, 'mounted');
  const filler = join(path, 'filler');
  return {
    path,
    mount() {
      mkdirSync(path, { recursive: true });
      writeFileSync(image, '');
      truncateSync(image, megabytes * 1024 * 1024);
      run('mkfs.ext4', '-q', '-m0', image);
      run('mount', '-o', 'loop', image, path);
    },
    fill() {
      const file = openSync(filler, 'a');
      for (const size of [1 << 20, 1 << 12, 1]) while (isWritten(file, Buffer.alloc(size)));
      closeSync(file);
    },
    free: () => rmSync(filler),
    unmount() {
      if (existsSync(folder)) run('umount', path);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Why there can be no such file system here; undefined where there can. */
export function whyNoDisk(): string | undefined {
  const disk = createDisk(8);
  try {
    disk.mount();
    disk.unmount();
    return undefined;
  } catch (error) {
    rmSync(dirname(disk.path), { recursive: true, force: true });
    return error instanceof Error ? error.message.trim() : String(error);
  }
}

function isWritten(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) > 0;
  } catch {
    return false;
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`, { cause: error });
}
