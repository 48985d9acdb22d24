import type { DataSource, EntityManager } from 'typeorm';
import { loadRanges } from '../readings/range.js';
import { loadSpans } from '../readings/reading-store.js';
import { LONGEST_HOLD_MS } from '../sessions/known-time.js';
import { bucketsOf, HOUR_MS, hourOf } from './bucket.js';
import {
  deleteMarks,
  type Hours,
  loadMarks,
  nextProbes,
  type Progress,
  registerProbes,
  saveBuckets,
  saveProgress,
  takeProgress,
} from './bucket-store.js';

/** What one transaction takes on, so that it is short and holds little: 90,000 readings of probes that send each 10 s. */
const PROBES_AT_ONCE = 10;
const HOURS_AT_ONCE = 24;
const MARKS_AT_ONCE = 200;

/**
 * Brings the buckets up to the readings that are stored: for each probe from where it was left, and the hours that late
 * readings marked. Each step is one transaction: killed half-way, the rest is done by the next one; those who run it at
 * once share the probes.
 * @returns whether all is done: not when `signal` ended it after the step under way, or another one is still at some probe
 */
export async function rollUpBuckets({
  dataSource,
  signal,
}: {
  dataSource: DataSource;
  signal?: AbortSignal;
}): Promise<boolean> {
  await registerProbes(dataSource.manager);
  let isAll = true;
  for (let after = 0; ; ) {
    const probes = await nextProbes(dataSource.manager, after, PROBES_AT_ONCE);
    if (probes.length === 0) return isAll;
    for (let open = probes; open.length > 0; ) {
      if (signal?.aborted) return false;
      const step = await dataSource.transaction((tx) => rollUpSome(tx, open));
      isAll &&= step.taken === open.length;
      open = step.open;
    }
    after = probes.at(-1) ?? after;
  }
}

/** @returns of how many nobody else was at work, and those of these of which more is to be done */
async function rollUpSome(
  tx: EntityManager,
  probeIds: readonly number[],
): Promise<{ taken: number; open: number[] }> {
  const taken = await takeProgress(tx, probeIds);
  const ids = taken.map(({ probeId }) => probeId);
  // Before the readings: what is marked later than this was stored later too, and is left for the next time.
  const marks = await loadMarks(tx, ids, MARKS_AT_ONCE);
  const steps = taken.map(nextStep);
  const hours = withMarked(
    steps.flatMap(({ hours: some }) => some),
    marks,
  );
  const readings = await loadSpans(
    tx,
    hours.map(({ probeId, fromMs, toMs }) => ({ probeId, fromMs: fromMs - LONGEST_HOLD_MS, toMs: toMs - 1 })),
  );
  const ranges = await loadRanges(tx, ids);
  const buckets = hours.flatMap((span, index) =>
    bucketsOf(readings[index] ?? [], span, ranges.get(span.probeId)),
  );
  await saveBuckets(tx, hours, buckets);
  await deleteMarks(tx, marks);
  await saveProgress(tx, steps);
  const hasMore = marks.length === MARKS_AT_ONCE;
  const open = steps.filter(({ isDone }) => hasMore || !isDone).map(({ probeId }) => probeId);
  return { taken: taken.length, open };
}

interface Step {
  probeId: number;
  hours: Hours[];
  doneMs: number;
  isDone: boolean;
}

/** A day of a probe's readings at most, and no time without any. The last hour is done again when more of it is there. */
function nextStep({ probeId, doneMs, lastMs, nextMs }: Progress): Step {
  if (nextMs === null || nextMs > lastMs) return { probeId, hours: [], doneMs: lastMs, isDone: true };
  const fromMs = Math.max(hourOf(doneMs ?? nextMs), hourOf(nextMs));
  const endMs = hourOf(lastMs + LONGEST_HOLD_MS) + HOUR_MS;
  const isDone = endMs - fromMs <= (HOURS_AT_ONCE + 2) * HOUR_MS;
  const toMs = isDone ? endMs : fromMs + HOURS_AT_ONCE * HOUR_MS;
  return { probeId, hours: [{ probeId, fromMs, toMs }], doneMs: isDone ? lastMs : toMs, isDone };
}

/** With each marked hour that is not among them, once. */
function withMarked(hours: readonly Hours[], marks: readonly { probeId: number; hourMs: number }[]): Hours[] {
  const all = [...hours];
  for (const { probeId, hourMs } of marks) {
    const isThere = all.some((one) => one.probeId === probeId && one.fromMs <= hourMs && hourMs < one.toMs);
    if (!isThere) all.push({ probeId, fromMs: hourMs, toMs: hourMs + HOUR_MS });
  }
  return all;
}
