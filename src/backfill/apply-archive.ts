import type { DataSource, EntityManager } from 'typeorm';
import { createIngest } from '../ingest/ingest.js';
import { redetectStored } from '../ingest/late-sessions.js';
import { lockDevices } from '../ingest/world-store.js';
import { ensurePartitions, loadSpans } from '../readings/reading-store.js';
import type { Copy, Wanted } from './archive-copy.js';
import { countRows, inChunks, type Part, type ProbeRows, spanOf, unknownOf } from './selection.js';

/** Of one transaction. */
const CHUNK = 4_000;
const MARGIN_MS = 1_000;

export interface Application {
  dataSource: DataSource;
  /** False: also the past of alerts stays as it is. */
  judgesLate: boolean;
  /** After each transaction. */
  onProgress?: (progress: { done: number; of: number; stored: number }) => void;
  /** Ends it after a transaction. */
  signal?: AbortSignal;
}

/**
 * Stores wanted rows of an archive, some thousands in one transaction with how far it has come: whoever is killed goes
 * on there. Nobody is told, no present state changes, and what is stored already stays. The last transaction makes of
 * it what sessions there were, and does `finish`; only then the archive is done.
 * @param finish null: more of the archive may come, so that it is not done
 * @returns how many readings were new @throws when `signal` ended it
 */
export async function applyArchive(
  { dataSource, judgesLate, onProgress, signal }: Application,
  { device, scope }: Pick<Wanted, 'device' | 'scope'>,
  copy: Copy,
  parts: readonly Part[],
  finish: ((tx: EntityManager) => Promise<unknown>) | null,
): Promise<number> {
  const [span, of] = [spanOf(parts), countRows(parts)];
  if (span) await ensurePartitions(dataSource.manager, [span]);
  let stored = 0;
  for (const { rows, done } of inChunks(parts, { done: copy.rowsDone, size: CHUNK })) {
    signal?.throwIfAborted();
    stored += await dataSource.transaction(async (tx) => {
      await lockDevices(tx, [device]);
      await tx.query(
        'UPDATE archive_copies SET rows_done = $3, updated_at = now() WHERE id = $1 AND scope = $2',
        [copy.id, scope, done],
      );
      return storeRows(tx, { device, rows, judgesLate });
    });
    onProgress?.({ done, of, stored });
  }
  signal?.throwIfAborted();
  await dataSource.transaction(async (tx) => {
    if (span) await redetectStored(tx, { device, ...span });
    await lockDevices(tx, [device]);
    await finish?.(tx);
    await tx.query(
      `UPDATE archive_copies SET applied_at = CASE WHEN $3 THEN now() END, rows_done = CASE WHEN $3 THEN rows_done ELSE 0 END,
         updated_at = now()
       WHERE id = $1 AND scope = $2`,
      [copy.id, scope, finish !== null],
    );
  });
  return stored;
}

/** @returns how many were new */
async function storeRows(
  tx: EntityManager,
  { device, rows, judgesLate }: { device: number; rows: readonly ProbeRows[]; judgesLate: boolean },
): Promise<number> {
  const spans = rows.map(({ probe, samples }) => ({
    probeId: probe,
    fromMs: (samples[0]?.[0] ?? 0) - MARGIN_MS,
    toMs: (samples.at(-1)?.[0] ?? 0) + MARGIN_MS,
  }));
  const known = await loadSpans(tx, spans);
  const probes = rows.flatMap(({ probe, samples }, index) => {
    const unknown = unknownOf(samples, known[index] ?? []);
    return unknown.length > 0 ? [{ device, probe, samples: unknown }] : [];
  });
  if (probes.length === 0) return 0;
  const ingest = createIngest({
    dataSource: { manager: tx },
    late: { alerts: judgesLate, sessions: false, areNew: true },
  });
  const outcome = await ingest([
    { version: 1, account: device, previousPollMs: null, failedBetween: false, probes },
  ]);
  return outcome.stored.length;
}
