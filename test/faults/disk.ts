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
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import { isStoring, outage, WAIT } from './outage.js';

const FULL_FOR_MS = 15_000;

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

/** For a world whose server has its data on `disk`. */
export const fullDiskFaults = (disk: Disk): readonly Fault[] => [
  {
    name: 'PostgreSQL: disk of the data volume full',
    promise: 'G1, G10',
    async run(world) {
      await isStoring(world);
      return outage(world, async () => {
        disk.fill();
        // Until there is no room for its log either.
        const isFull = () =>
          world.db.query(WRITE_LOG).then(
            () => false,
            () => true,
          );
        await waitFor(isFull, { ...WAIT, everyMs: 1, what: 'writes to fail' });
        await sleep(FULL_FOR_MS);
        disk.free();
        // If it ended by itself, which it does as often as not.
        const start = () => world.postgres.start().then(() => true);
        await waitFor(start, { ...WAIT, what: 'the server to start again' });
      });
    },
  },
];

/** Half a megabyte of write-ahead log, and nothing else. */
const WRITE_LOG = "SELECT pg_logical_emit_message(false, 'filler', repeat('x', 524288))";

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
