import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { z } from 'zod';
import type { AccessTokens } from '../accounts/access-token.js';
import type { LeasedAccount } from '../accounts/credential-manager.js';
import { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { lockDevices } from '../ingest/world-store.js';
import type { Logger } from '../logger.js';
import { type Call, withToken } from '../poller/poll-account.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import { CloudError } from '../thermoworks/cloud-error.js';
import type { CloudArchive, ProviderName } from '../thermoworks/types.js';
import { applyArchive } from './apply-archive.js';
import { beginCopy, probesOf, readArchive } from './archive-copy.js';
import { type Covered, closeGaps, coveredBy, giveUp, openGaps } from './gaps.js';
import { select } from './selection.js';

/** A recording that is open closes when it does: until then nobody knows. */
const LOOK_AGAIN_SECONDS = 4 * 3600;
/** What is still being written, and a cloud that failed, are asked again so soon. */
const SOON_SECONDS = 600;

export interface GapFillerDependencies {
  dataSource: DataSource;
  clientOf: (provider: ProviderName) => CloudClient;
  tokens: AccessTokens;
  logger: Logger;
  onStored: (readings: number) => void;
  onClosed: (outcome: 'filled' | 'lost', count: number) => void;
  /** Ends it after a transaction: whoever looks at the device next goes on there. */
  signal?: AbortSignal;
}

const deviceRow = z.object({
  device_id: z.string(),
  user_id: z.number(),
  archives_due_at: z.date().nullable(),
});
type DeviceRow = z.infer<typeof deviceRow>;

/** One device whose gaps may be filled now. */
interface Visit extends DeviceRow {
  /** `devices.id`. */
  device: number;
  account: LeasedAccount;
  call: Call;
}

/**
 * Fills the open gaps of a device (`devices.id`) from the cloud's archives, and says when to look again. Running it
 * again, also after it was killed, changes nothing twice. A cloud that fails is asked again later and is no failure.
 * @throws errors of our own database
 */
export function createGapFiller(deps: GapFillerDependencies) {
  const { dataSource, tokens, logger, onClosed } = deps;
  const db = dataSource.manager;
  return async ({ device }: { device: number }): Promise<void> => {
    const rows: unknown = await db.query(
      'SELECT device_id, user_id, archives_due_at FROM devices WHERE id = $1',
      [device],
    );
    const [row] = z.array(deviceRow).parse(rows);
    if (!row) return;
    onClosed('lost', await giveUp(db, device));
    const linked = await db.findOneBy(ThermoworksCredential, { userId: row.user_id });
    const account = linked && { ...linked, uid: linked.thermoworksUid };
    let againSeconds = LOOK_AGAIN_SECONDS;
    if (account && ['active', 'degraded'].includes(account.status)) {
      try {
        const isDone = await fill(deps, { device, ...row, account, call: withToken(tokens, account) });
        if (!isDone) againSeconds = SOON_SECONDS;
      } catch (err) {
        if (deps.signal?.aborted) return;
        if (!(err instanceof CloudError)) throw err;
        againSeconds = Math.max(SOON_SECONDS, (err.retryAfterMs ?? 0) / 1000);
        logger.warn('archives could not be read', { account: account.publicId, againSeconds, err });
      }
    }
    await setDue(dataSource, device, row, againSeconds);
  };
}

/** Unless somebody has said otherwise meanwhile; never, where no gap is open. */
async function setDue(
  dataSource: DataSource,
  device: number,
  { archives_due_at: seen }: DeviceRow,
  seconds: number,
): Promise<void> {
  await dataSource.transaction(async (tx) => {
    // Whoever adds a gap holds the device: after it, all that are there can be seen.
    await lockDevices(tx, [device]);
    const isOpen = (await openGaps(tx, device)).length > 0;
    await tx.query(
      `UPDATE devices SET archives_due_at = CASE WHEN $3 THEN now() + make_interval(secs => $4 * (0.9 + 0.2 * random())) END
       WHERE id = $1 AND archives_due_at IS NOT DISTINCT FROM $2`,
      [device, seen, isOpen, seconds],
    );
  });
}

/** The oldest first. @returns false where one of them is still being written */
async function fill(deps: GapFillerDependencies, visit: Visit): Promise<boolean> {
  const db = deps.dataSource.manager;
  const first = await openGaps(db, visit.device);
  if (first.length === 0) return true;
  const since = new Date(Math.min(...first.map(({ startMs }) => startMs)));
  const client = deps.clientOf(visit.account.provider);
  const archives = await visit.call((token) => client.archives(token, visit.device_id, since));
  let isDone = true;
  for (const archive of archives.toReversed()) {
    const span = { startMs: archive.startAt.getTime(), endMs: archive.endAt.getTime() };
    const covered = coveredBy(await openGaps(db, visit.device), span);
    if (covered.length > 0 && !(await fillFrom(deps, visit, archive, covered))) isDone = false;
  }
  return isDone;
}

/** @returns false where it is worth asking again soon */
async function fillFrom(
  deps: GapFillerDependencies,
  visit: Visit,
  archive: CloudArchive,
  covered: readonly Covered[],
): Promise<boolean> {
  const { dataSource, clientOf, onStored, onClosed, logger } = deps;
  const { device, user_id: userId, account, call } = visit;
  const db = dataSource.manager;
  const wanted = { userId, device, archive, scope: scopeOf(covered) };
  const copy = await beginCopy(db, wanted);
  if (copy.isApplied) return true;
  const source = { db, client: clientOf(account.provider), call };
  const { rows, fault, isWorthAnother } = await readArchive(source, archive, copy);
  if (fault !== null)
    logger.warn('an archive is not as it should be', {
      archive: archive.archiveId,
      fault,
      tries: copy.tries,
    });
  if (isWorthAnother) return false;
  // What is too large does not become smaller: what it covers is lost. A file that was cut says nothing of the rest.
  if (!rows && fault !== 'too_large') return true;
  const closes = !rows || rows.isWhole ? covered : [];
  const windows = covered.map(({ gap }) => ({
    probe: gap.probe,
    fromMs: gap.startMs + 1,
    toMs: gap.endMs - 1,
  }));
  const parts = rows ? select(rows, await probesOf(db, visit), windows) : [];
  const outcomes: ('filled' | 'lost')[] = [];
  const application = { dataSource, judgesLate: true, signal: deps.signal };
  const stored = await applyArchive(application, wanted, copy, parts, async (tx) => {
    outcomes.push(...(await closeGaps(tx, closes)));
  });
  onStored(stored);
  for (const outcome of outcomes) onClosed(outcome, 1);
  return true;
}

/** Names these gaps as they are: when others are there, the archive is looked at again. */
function scopeOf(covered: readonly Covered[]): string {
  const text = covered.map(({ gap }) => `${gap.id} ${gap.startMs} ${gap.endMs}`).join();
  return `gaps ${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}
