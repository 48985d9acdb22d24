import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../src/embedded/server-process.js';
import { createLogger } from '../src/logger.js';
import { openQueues } from '../src/queues/backend.js';
import { endPrograms, startProgram, untilItSays } from '../test/e2e/program.js';
import { createHomes, nextJobs, PROBES_PER_DEVICE } from './homes.js';
import { drain } from './ingest.js';
import { openServers, startRoles } from './servers.js';
import type { Options, Row } from './table.js';

const PROBES = 4_000;
const READINGS = 1_000_000;
const SMALL_READINGS = 200_000;
const PER_JOB = 40;
/** Jobs that lie in the queue at a time: the backlog is Redis's memory, not the worker's. */
const ROUNDS_AT_ONCE = 25;
/** After the greeting: what a start needs and gives back. */
const UNTIL_IDLE_MS = 20_000;

/** The most that a worker ever held while it drained, and what everything of `up` takes when nothing happens. */
export async function benchMemory({ isSmall, say }: Options): Promise<Row[]> {
  const bare = await bareNode();
  return [await workerPeak(isSmall ? SMALL_READINGS : READINGS, bare, say), await idleUp(bare)];
}

async function workerPeak(readings: number, bare: number, say: (line: string) => void): Promise<Row> {
  const servers = await openServers();
  try {
    const { db, env } = servers;
    const homes = await createHomes(db, PROBES / PROBES_PER_DEVICE);
    const logger = createLogger({ level: 'warn', format: 'pretty' });
    const queuePrefix = env.QUEUE_PREFIX ?? '';
    const { queues, close } = await openQueues({ kind: 'redis', url: env.REDIS_URL, queuePrefix, logger });
    servers.onClose('queues', close);
    const pid = startRoles(servers, 'worker');
    for (let done = 0; done < readings; done += ROUNDS_AT_ONCE * PROBES) {
      await drain(queues, nextJobs(homes, { rounds: ROUNDS_AT_ONCE, perJob: PER_JOB }));
      say(`memory: ${done + ROUNDS_AT_ONCE * PROBES} readings, peak ${mebibytes(peakBytes(pid))} MiB`);
    }
    return row(`a worker that drained ${readings.toLocaleString('en')} readings, peak`, peakBytes(pid), bare);
  } finally {
    await servers.close();
  }
}

async function idleUp(bare: number): Promise<Row> {
  const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-bench-up-'));
  try {
    const port = await freePort();
    const up = startProgram(['up'], { DATA_DIR: dataDir, HTTP_PORT: `${port}`, LOG_FORMAT: 'json' });
    await untilItSays(up, 'webhook delivered and verified', 120_000);
    await sleep(UNTIL_IDLE_MS);
    const servers = ['postgres', 'redis'].map((name) => serverOf(dataDir, name));
    const bytes = [up.pid, ...servers].flatMap(withChildren).reduce((sum, pid) => sum + pssBytes(pid), 0);
    return row('all processes of `up` with the demo, PSS', bytes, bare);
  } finally {
    await endPrograms();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function row(what: string, bytes: number, bare: number): Row {
  const anchor = { what: 'a Node that does nothing, PSS', value: mebibytes(bare), unit: 'MiB' };
  return { figure: 'memory', what, value: mebibytes(bytes), unit: 'MiB', anchor, ratio: bytes / bare };
}

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);

async function bareNode(): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const bytes = pssBytes(child.pid ?? 0);
  child.kill();
  return bytes;
}

/** Of what is shared, each process has its part. */
function pssBytes(pid: number): number {
  return kibibytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss') * 1024;
}

function peakBytes(pid: number): number {
  return kibibytes(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmHWM') * 1024;
}

function kibibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
}

/** The server whose command line names this data directory. */
function serverOf(dataDir: string, name: string): number {
  const found = processes().find((pid) => {
    const words = read(`/proc/${pid}/cmdline`).split('\0');
    return words[0]?.includes(name) && (isOf(words, dataDir) || isListening(words, dataDir, name));
  });
  if (found === undefined) throw new Error(`no ${name} of ${dataDir}`);
  return found;
}

const isOf = (words: readonly string[], dataDir: string) => words.some((word) => word.startsWith(dataDir));

/** Redis shows the address that it listens on. */
function isListening(words: readonly string[], dataDir: string, name: string): boolean {
  const port = read(join(dataDir, `${name}-port`)).trim();
  return port !== '' && words.some((word) => word.endsWith(`:${port}`));
}

function withChildren(pid: number): number[] {
  const children = processes().filter(
    (other) => /\) \S+ (\d+)/.exec(read(`/proc/${other}/stat`))?.[1] === `${pid}`,
  );
  return [pid, ...children.flatMap(withChildren)];
}

const processes = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
