import { expect } from 'chai';
import { waitFor } from '../support/wait-for.js';
import type { Supervised } from './processes.js';

/** From SIGTERM to the end of a process, whether it could drain or not (G12). */
const BUDGET_MS = 25_000;

/** A noisy machine may take that long to start a process. */
const START_MS = 120_000;

/** SIGTERM. @returns what it ended with, in time. @throws where it needs longer than promised */
export async function endOf(process: Supervised, { lateMs = 0 } = {}): Promise<unknown> {
  const ends: unknown[] = [];
  void process.stop().then((end) => ends.push(end));
  const timeoutMs = BUDGET_MS + lateMs;
  await waitFor(() => ends.length > 0, { timeoutMs, what: `the end of process ${process.name}` });
  return ends[0];
}

/** SIGTERM to one that can drain. @returns seconds until it had exited with 0 */
export async function stops(process: Supervised): Promise<string> {
  const startMs = performance.now();
  const end = await endOf(process);
  expect(end, process.output().slice(-3000)).to.equal(0);
  return `process ${process.name} ended with 0 in ${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}

export async function startsAgain(process: Supervised): Promise<void> {
  await process.start();
  await process.ready(START_MS);
}
