import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toolsDir } from '../scripts/tools.js';
import { startProgram, untilItSays } from '../test/e2e/program.js';
import { createHomes, nextJobs, PROBES_PER_DEVICE } from './homes.js';
import { openDrain } from './ingest.js';
import { openServers, startRoles } from './servers.js';
import type { Options, Row } from './table.js';

const PROBES = 4_000;
const ROUNDS = { small: 50, full: 250 };
/** After its last delivery `up` does nothing but poll; what it no longer needs has been given back then. */
const SETTLE_MS = 20_000;
const MIB = 1024 ** 2;
const UNIT = 'MiB';

/** Peak of a worker that drains a backlog, and all that `up` starts while nothing happens. */
export async function benchMemory(options: Options): Promise<Row[]> {
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
  try {
    await sleep(1_000);
    return [await drained(options, bare.pid ?? 0), await idle(options, bare.pid ?? 0)];
  } finally {
    bare.kill();
  }
}

async function drained({ isSmall, say }: Options, bare: number): Promise<Row> {
  const rounds = ROUNDS[isSmall ? 'small' : 'full'];
  const servers = await openServers();
  try {
    const homes = await createHomes(servers.db, PROBES / PROBES_PER_DEVICE);
    const drain = await openDrain(servers);
    const worker = startRoles(servers, 'worker');
    const rate = await drain(nextJobs(homes, { rounds, perJob: 40 }));
    say(`memory: ${Math.round(rate)} readings/s`);
    const [value, least] = [peakRss(worker), peakRss(bare)];
    const anchor = { what: 'a bare node process', value: least, unit: UNIT };
    const what = `peak of a worker that drains ${(PROBES * rounds) / 1e6} M readings`;
    return { figure: 'memory', what, value, unit: UNIT, anchor, ratio: value / least, note: 'VmHWM' };
  } finally {
    await servers.close();
  }
}

async function idle({ say }: Options, bare: number): Promise<Row> {
  const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-bench-up-'));
  symlinkSync(toolsDir(), join(dataDir, 'tools'));
  const up = startProgram(['up'], { DATA_DIR: dataDir });
  try {
    await untilItSays(up, 'delivered', 180_000);
    await sleep(SETTLE_MS);
    const parts = treeOf(up.pid).map((pid) => ({ pid, bytes: pss(pid), name: nameOf(pid) }));
    say(`memory: ${parts.map(({ name, bytes }) => `${name} ${Math.round(bytes)}`).join(', ')} ${UNIT}`);
    const [value, least] = [parts.reduce((sum, { bytes }) => sum + bytes, 0), pss(bare)];
    const anchor = { what: 'a bare node process', value: least, unit: UNIT };
    const note = `PSS of ${parts.length} processes, servers and demo included`;
    return {
      figure: 'memory',
      what: '`up`, idle',
      value,
      unit: UNIT,
      anchor,
      ratio: value / least,
      valueAtMost: 350,
      note,
    };
  } finally {
    await up.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A field of a file of /proc that is given in kB, in MiB. */
function kilobytes(path: string, name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(path, 'utf8'));
  return (Number(line?.[1]) * 1024) / MIB;
}

const peakRss = (pid: number): number => kilobytes(`/proc/${pid}/status`, 'VmHWM');
const pss = (pid: number): number => kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss');
const nameOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim();

/** The process and all below it. */
function treeOf(pid: number): number[] {
  const isChild = (other: number) => {
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${other}/status`, 'utf8'))?.[1]) === pid;
    } catch {
      return false; // it ended meanwhile
    }
  };
  const others = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return [pid, ...others.filter(isChild).flatMap(treeOf)];
}
