import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { runCli } from '../../src/cli/index.js';
import { waitFor } from '../support/wait-for.js';

const BINARY = join(import.meta.dirname, '../../bin/grill-stats.js');

/** A grill-stats process, and all that it has written. */
export interface Program {
  child: ChildProcess;
  pid: number;
  output: { stdout: string; stderr: string };
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
  /** Sends a signal, and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** The program as people start it; it knows nothing of this process's environment but PATH and HOME. */
export function startProgram(args: string[], env: NodeJS.ProcessEnv): Program {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  const child = spawn(process.execPath, [BINARY, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, XDG_CACHE_HOME, ...env },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk) => {
      output[name] += chunk;
    });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  const program = {
    child,
    pid: child.pid ?? 0,
    output,
    ended,
    stop: (signal: NodeJS.Signals = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
  };
  started.push(program);
  return program;
}

const started: Program[] = [];

/** Ends what a failed test left running. */
export async function endPrograms(): Promise<void> {
  for (const { child, ended } of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  }
}

/** Waits for a text, or throws with what there was when the program ended without it. */
export async function untilItSays(
  { child, output }: Program,
  text: string | RegExp,
  timeoutMs = 30_000,
): Promise<void> {
  const isThere = () => `${output.stdout}${output.stderr}`.search(text) >= 0;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  await waitFor(() => isThere() || hasEnded(), { timeoutMs, what: String(text) });
  if (!isThere()) throw new Error(`it ended without ${text}:\n${output.stdout}\n${output.stderr}`);
}

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command, in this process. */
export async function command(args: string[], env: NodeJS.ProcessEnv, stdin = ''): Promise<Answer> {
  const written = { stdout: '', stderr: '' };
  const into = (name: keyof typeof written) => ({
    write: (chunk: string) => {
      written[name] += chunk;
    },
  });
  const given = async function* () {
    yield stdin;
  };
  const code = await runCli(args, env, { stdin: given(), stdout: into('stdout'), stderr: into('stderr') });
  return { code, ...written };
}
