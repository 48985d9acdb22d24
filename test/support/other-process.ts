import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const children: ChildProcess[] = [];

/** A TypeScript file in a process of its own, and the JSON of its first line; killed after the last test. */
export async function runApart(
  file: string,
  args: string[],
  { prefix = [], env = {} }: { prefix?: string[]; env?: Record<string, string> } = {},
): Promise<{ child: ChildProcess; answer: unknown }> {
  const [program = '', ...words] = [...prefix, process.execPath, '--import', 'tsx', file, ...args];
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  children.push(child);
  if (!child.stdout) throw new Error('unreachable: stdout is a pipe');
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
  if (typeof line !== 'string') throw new Error(`${file} ended without an answer`);
  return { child, answer: JSON.parse(line) };
}

/** Ends the process as a power cut would, and waits until it is gone. */
export async function killHard(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** What to put before a command so that it runs as somebody who is not root; under a 0700 home too, if it can be. */
export function withoutRoot(): string[] {
  if (process.getuid?.() !== 0) return [];
  const unshare = ['unshare', '--user', '--map-user=65534', '--map-group=65534', '--'];
  if (spawnSync(unshare[0] ?? '', [...unshare.slice(1), 'true']).status === 0) return unshare;
  return ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
}

after('kill the other processes', () => {
  for (const child of children) child.kill('SIGKILL');
});
