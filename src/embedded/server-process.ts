import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../errors.js';
import { startTimeOf } from './lock-file.js';

const LOG_LIMIT_BYTES = 10 * 1024 * 1024;
const STOP_MS = 10_000;

/** A server on 127.0.0.1 that outlives this process until `stop`. */
export interface EmbeddedServer {
  /** With user and password. */
  url: string;
  pid: number;
  port: number;
  /** Was already running: left by a killed process, or shared with a live one. */
  adopted: boolean;
  isRunning(): boolean;
  /** Resolves when the process is gone; may be called twice. */
  stop(): Promise<void>;
}

/** What to run: a file with arguments, as another user if it says so. */
export interface Command {
  file: string;
  args: string[];
  options: Pick<SpawnOptions, 'uid' | 'gid' | 'env'>;
}

/** A handle on the process. It is asked to end by the first signal, and 10 s later told by the second. */
export function serverHandle(
  facts: Pick<EmbeddedServer, 'url' | 'pid' | 'port' | 'adopted'>,
  signals: [NodeJS.Signals, NodeJS.Signals],
): EmbeddedServer {
  const startTime = startTimeOf(facts.pid);
  const isRunning = () => startTime !== undefined && startTimeOf(facts.pid) === startTime;
  const stop = async () => {
    for (const signal of signals) {
      if (isRunning()) process.kill(facts.pid, signal);
      for (const deadline = performance.now() + STOP_MS; isRunning() && performance.now() < deadline; )
        await sleep(10);
    }
    if (isRunning()) throw new Error(`process ${facts.pid} does not end`);
  };
  return { ...facts, isRunning, stop };
}

/**
 * Starts a server with its output appended to `logPath`; resolves with its pid once `isReady` does with true.
 * @throws when it ends or `isReady` throws before that, or after a minute; with the server's last words
 */
export async function launch(
  { file, args, options }: Command,
  { logPath, isReady }: { logPath: string; isReady: (pid: number) => Promise<boolean> },
): Promise<number> {
  if (existsSync(logPath) && statSync(logPath).size > LOG_LIMIT_BYTES) renameSync(logPath, `${logPath}.1`);
  const log = openSync(logPath, 'a', 0o600);
  const before = statSync(logPath).size;
  // Detached: Ctrl-C in the terminal must not reach the server before this process has drained.
  const child = spawn(file, args, { ...options, cwd: '/', detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let failure: string | undefined;
  child.once('error', (error) => (failure = error.message));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
  child.unref();
  for (const deadline = performance.now() + 60_000; failure === undefined; await sleep(20)) {
    try {
      if (child.pid !== undefined && (await isReady(child.pid))) return child.pid;
    } catch (error) {
      failure = messageOf(error);
    }
    if (performance.now() > deadline) failure = 'it was not ready within 60 s';
  }
  child.kill('SIGKILL');
  const words = readFileSync(logPath).subarray(before).toString().trim().split('\n').slice(-8).join('\n');
  throw new Error(`${basename(logPath, '.log')} did not start: ${failure}. The end of ${logPath}:\n${words}`);
}

/** What the last start wrote there, or 0. */
export function lastPort(file: string): number {
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) || 0 : 0;
}

/** `preferred` if nothing listens there, else a port that the system gives. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(preferred, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : preferred);
      });
    });
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort();
  } finally {
    server.close();
  }
}
