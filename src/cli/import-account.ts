import type { DataSource } from 'typeorm';
import { type ImportedArchive, importArchives } from '../backfill/import-account.js';
import type { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { InputError } from '../errors.js';
import { createAccountTokens } from '../poller/create-account-poller.js';
import { withToken } from '../poller/poll-account.js';
import { createEnqueue } from '../queues/enqueue.js';
import { DAY_MS, keptSince } from '../readings/retention.js';
import type { CloudClient } from '../thermoworks/cloud-client.js';
import type { Context } from './context.js';
import { pollNow } from './poll-now.js';

/** Of advisory locks that stand for an import, beside the account. */
const LOCK = 0x61726368;
/** Rows of one archive between two lines about it. */
const TOLD_EVERY = 20_000;

/**
 * Turns all archives of an account into readings and sessions, with a line for each. SIGINT or SIGTERM ends it after the
 * transaction under way; the next import goes on there.
 */
export async function importAccount(
  context: Context,
  account: ThermoworksCredential,
  client: CloudClient,
  since: Date,
): Promise<void> {
  const dataSource = await context.database();
  const unlock = await lock(dataSource, account.id);
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  try {
    await learnDevices(context, dataSource, account, client);
    await tellAll(context, { dataSource, account, client, since, signal: ending.signal });
  } catch (error) {
    if (!ending.signal.aborted) throw error;
    throw new InputError('stopped: the same command goes on here', { cause: error });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
    await unlock();
  }
}

/** As long as the connection lives. @throws InputError */
async function lock(dataSource: DataSource, account: number): Promise<() => Promise<void>> {
  const runner = dataSource.createQueryRunner();
  const [row] = await runner.query('SELECT pg_try_advisory_lock($1, $2) AS taken', [LOCK, account]);
  const unlock = async () => {
    if (row.taken) await runner.query('SELECT pg_advisory_unlock($1, $2)', [LOCK, account]);
    await runner.release();
  };
  if (row.taken) return unlock;
  await unlock();
  throw new InputError('an import of this account is under way');
}

/** The first poll finds out which there are; while somebody else makes it, they are known in a moment. */
async function learnDevices(
  context: Context,
  dataSource: DataSource,
  account: ThermoworksCredential,
  client: CloudClient,
): Promise<void> {
  const [known] = await dataSource.query('SELECT FROM devices WHERE user_id = $1 LIMIT 1', [account.userId]);
  if (known) return;
  await pollNow(context, account, client);
  const [own] = await dataSource.query('SELECT FROM devices WHERE user_id = $1 LIMIT 1', [account.userId]);
  if (!own) throw new InputError('the account has no device of its own here: nothing to import');
}

async function tellAll(
  context: Context,
  {
    dataSource,
    account,
    client,
    since,
    signal,
  }: {
    dataSource: DataSource;
    account: ThermoworksCredential;
    client: CloudClient;
    since: Date;
    signal: AbortSignal;
  },
): Promise<void> {
  const notify = createEnqueue({ queues: await context.queues(), logger: context.logger }).notifications;
  const tokens = createAccountTokens({
    dataSource,
    box: context.secretBox(),
    clientOf: () => client,
    onRefresh: () => undefined,
    notify,
  });
  const call = withToken(tokens, { ...account, uid: account.thermoworksUid });
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const range = { since, keptSince: keptSince(new Date(today), context.config.retentionDays) };
  let told = 0;
  const onProgress = ({ archive, done, of }: { archive: string; done: number; of: number }) => {
    told = done < told ? 0 : told;
    if (done - told < TOLD_EVERY || done === of) return;
    told = done;
    context.done(`${archive}: ${done} of ${of} rows`, {
      event: 'progress',
      archive_id: archive,
      rows_done: done,
      rows: of,
    });
  };
  const sums = { archives: 0, stored: 0, bad_rows: 0, old_rows: 0, failed: 0 };
  for await (const one of importArchives(
    { dataSource, client, call, onProgress, signal },
    account.userId,
    range,
  )) {
    sums.archives += 1;
    sums.stored += one.stored;
    sums.bad_rows += one.bad_rows;
    sums.old_rows += one.old_rows;
    if (one.status === 'failed' || one.status === 'unfinished') sums.failed += 1;
    context.done(lineOf(one), { event: 'archive', ...one });
  }
  const rest = sums.failed > 0 ? `, ${sums.failed} not whole: import again later` : '';
  const left =
    sums.bad_rows + sums.old_rows > 0
      ? `, left out ${sums.bad_rows} bad rows and ${sums.old_rows} too old`
      : '';
  context.done(`${sums.archives} archives: ${sums.stored} new readings${left}${rest}`, {
    event: 'done',
    ...sums,
  });
}

function lineOf({ device_id, start, end, status, rows, stored, error }: ImportedArchive): string {
  const span = `${start.toISOString()} to ${end.toISOString()}`;
  const counts = status === 'imported' || status === 'unfinished' ? `, ${stored} new of ${rows} rows` : '';
  return `${device_id}  ${span}  ${status.replace('_', ' ')}${counts}${error === null ? '' : ` (${error})`}`;
}
