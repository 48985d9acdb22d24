import type { EntityManager } from 'typeorm';
import { z } from 'zod';
import type { Call } from '../poller/poll-account.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import { CloudError } from '../thermoworks/cloud-error.js';
import type { ArchiveRows, CloudArchive } from '../thermoworks/types.js';

/** An archive that stays unlike what its document says is taken as it is. */
const MOST_TRIES = 3;

/** Whose archive, and which of its rows are wanted: another scope begins anew. */
export interface Wanted {
  userId: number;
  /** `devices.id`. */
  device: number;
  archive: CloudArchive;
  /** At most 60 characters. */
  scope: string;
}

/** How far an archive has come; a row of `archive_copies`. */
export interface Copy {
  id: number;
  /** How often it was begun in this version, this time included. */
  tries: number;
  rowsDone: number;
  isApplied: boolean;
}

const copyRow = z.object({
  id: z.number(),
  tries: z.number(),
  rows_done: z.number(),
  is_applied: z.boolean(),
});

/** Begins an archive, or goes on with it. */
export async function beginCopy(
  db: EntityManager,
  { userId, device, archive, scope }: Wanted,
): Promise<Copy> {
  const same = 'c.cloud_update_time = excluded.cloud_update_time AND c.scope = excluded.scope';
  const rows: unknown = await db.query(
    `INSERT INTO archive_copies AS c (user_id, device_id, archive_id, cloud_update_time, scope)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_id, device_id, archive_id) DO UPDATE SET
       tries = CASE WHEN c.cloud_update_time = excluded.cloud_update_time THEN c.tries + 1 ELSE 1 END,
       rows_done = CASE WHEN ${same} THEN c.rows_done ELSE 0 END,
       applied_at = CASE WHEN ${same} THEN c.applied_at END,
       cloud_update_time = excluded.cloud_update_time, scope = excluded.scope, updated_at = now()
     RETURNING id, tries, rows_done, applied_at IS NOT NULL AS is_applied`,
    [userId, device, archive.archiveId, archive.updateTime, scope],
  );
  const [row] = z.array(copyRow).parse(rows);
  if (!row) throw new Error('an archive was not begun');
  return { id: row.id, tries: row.tries, rowsDone: row.rows_done, isApplied: row.is_applied };
}

/** In what a file is not what its document says; undefined: in nothing. */
function faultOf({ isWhole, total }: ArchiveRows, { count }: CloudArchive): string | undefined {
  if (!isWhole) return 'torn';
  return count !== null && total !== count ? 'unfinished' : undefined;
}

/** `probes.id` by the cloud's channel id. */
export async function probesOf(
  db: EntityManager,
  { device_id, user_id }: { device_id: string; user_id: number },
): Promise<Map<string, number>> {
  const rows = await db.query<{ id: number; probe_id: string }[]>(
    'SELECT id, probe_id FROM probes WHERE device_id = $1 AND user_id = $2',
    [device_id, user_id],
  );
  return new Map(rows.map(({ id, probe_id }) => [probe_id, id]));
}

/** An archive as it was read. */
export interface ReadArchive {
  /** Null: there are none, and `fault` says why. */
  rows: ArchiveRows | null;
  /** `torn`, `unfinished`, `too_large`, `malformed`, or the cloud's own word; kept in the row too. */
  fault: string | null;
  /** Another try may well bring more. */
  isWorthAnother: boolean;
}

/** @throws CloudError where the cloud is to blame and not the archive */
export async function readArchive(
  { db, client, call }: { db: EntityManager; client: CloudClient; call: Call },
  archive: CloudArchive,
  { id, tries }: Copy,
): Promise<ReadArchive> {
  const rows = await call((token) => client.archiveRows(token, archive.filename)).catch(reasonOf);
  const fault = typeof rows === 'string' ? rows : (faultOf(rows, archive) ?? null);
  if (fault !== null)
    await db.query('UPDATE archive_copies SET last_error = $2, updated_at = now() WHERE id = $1', [
      id,
      fault.slice(0, 100),
    ]);
  const isPassing = fault !== null && ['torn', 'unfinished', 'malformed'].includes(fault);
  return {
    rows: typeof rows === 'string' ? null : rows,
    fault,
    isWorthAnother: isPassing && tries < MOST_TRIES,
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof CloudError)) throw error;
  const isOfArchive = ['not_found', 'forbidden', 'rejected'].includes(error.kind);
  if (isOfArchive || ['too_large', 'malformed'].includes(error.reason)) return error.reason;
  throw error;
}
