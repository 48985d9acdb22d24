import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const holderSchema = z.object({
  pid: z.number().int(),
  startTime: z.string(),
  address: z.string().optional(),
});

/** A process as a file names it: with its start time, since a pid alone is given out again. */
export type Holder = z.infer<typeof holderSchema>;

/** When the process started, in the system's own words, or undefined when it is gone (a zombie is). */
export function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      // Fields 3 (state) and 22 (start in ticks since boot); the name before them may hold spaces and brackets.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    }
    process.kill(pid, 0);
    if (process.platform === 'win32') return 'unknown';
    return execFileSync('ps', ['-o', 'lstart=', '-p', `${pid}`], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

export function writeHolder(path: string, address?: string): void {
  const startTime = startTimeOf(process.pid) ?? 'unknown';
  // Renamed into place, so that nobody reads half of it.
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, JSON.stringify({ pid: process.pid, startTime, address } satisfies Holder), {
    mode: 0o600,
  });
  renameSync(draft, path);
}

/** The live process that `path` names; undefined when there is no file, or its process is gone. */
export function findHolder(path: string): Holder | undefined {
  try {
    const holder = holderSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    return startTimeOf(holder.pid) === holder.startTime ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Takes the lock, also one left by a killed process; or answers with the live process that holds it. */
export function tryLock(path: string): Holder | undefined {
  const draft = `${path}.${process.pid}`;
  writeHolder(draft);
  try {
    for (;;) {
      if (linkIfAbsent(draft, path)) return undefined;
      const holder = findHolder(path);
      if (holder) return holder;
      setAside(path);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Runs `work` while nobody else holds the lock. @throws when its holder keeps it longer than `timeoutMs` */
export async function withLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (let holder = tryLock(path); holder; holder = tryLock(path)) {
    if (performance.now() > deadline) throw new Error(`process ${holder.pid} holds ${path} for too long`);
    await sleep(50);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Gives a complete file its name only if the name is free, which no two processes succeed in. */
export function linkIfAbsent(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead process's lock; puts back what another process took in the meantime. */
function setAside(path: string): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (findHolder(aside)) linkIfAbsent(aside, path);
  rmSync(aside, { force: true });
}
