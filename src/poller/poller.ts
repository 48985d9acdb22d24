import cron from 'node-cron';
import type { DataSource } from 'typeorm';
import { v4 as uuidv4 } from 'uuid';
import { CredentialManager, type LeasedAccount, type PollResult } from '../accounts/credential-manager.js';
import { SecretError } from '../accounts/secret-box.js';
import { messageOf, NotFoundError } from '../errors.js';
import { type Logger, limitedWarning } from '../logger.js';
import { CloudError } from '../thermoworks/cloud-error.js';
import { backOffSeconds } from './cadence.js';
import { type PollDependencies, type PollReport, pollAccount, READ_USER_AGAIN } from './poll-account.js';

const RENEW_EVERY_MS = 3_000;
const AT_ONCE = 24;
/** After a failure of our own database or queue: soon again, and not counted against the account. */
const OWN_FAULT_SECONDS = 5;

export interface PollerDependencies {
  dataSource: DataSource;
  /** What a poll of this account needs; the client is its provider's. */
  pollOf: (account: LeasedAccount) => PollDependencies;
  cron: string;
  cadence: { minSeconds: number; maxSeconds: number };
  random: () => number;
  logger: Logger;
  onPoll: (outcome: string) => void;
}

export interface Poller {
  start(): void;
  /** Polls one account now, under its lease. @throws NotFoundError while another process polls it */
  pollNow(accountRow: number): Promise<PollReport>;
  /** No new polls; those in flight finish first. */
  close(): Promise<void>;
}

/**
 * Ticks that lease due accounts from the database and poll them, many at once, each by one process only. A process that
 * dies leaves leases that end by themselves.
 */
export function createPoller(deps: PollerDependencies): Poller {
  const owner = uuidv4();
  const accounts = new CredentialManager(deps.dataSource.manager);
  const running = new Map<number, Promise<unknown>>();
  let task: ReturnType<typeof cron.schedule> | undefined;
  let renewal: NodeJS.Timeout | undefined;
  let closing = false;
  let ticking: Promise<void> | undefined;
  const warnLeasing = limitedWarning(deps.logger, 'leasing due accounts failed');
  const warnRenewing = limitedWarning(deps.logger, 'renewing leases failed');

  const renew = () => {
    if (running.size === 0) return;
    accounts.renewLeases(owner, [...running.keys()]).catch(warnRenewing);
  };

  async function tick(): Promise<void> {
    const room = AT_ONCE - running.size;
    if (closing || room <= 0) return;
    const leased = await accounts.leaseDue(owner, room);
    // Closed meanwhile: close() waits for this tick and then gives the leases back.
    if (closing) return;
    for (const account of leased) track(account).catch(() => undefined);
    // More may be due than there was room for: whoever finishes first asks again.
    if (leased.length === room) Promise.race(running.values()).then(safeTick, safeTick);
  }

  const safeTick = () => {
    ticking ??= tick()
      .catch(warnLeasing)
      .finally(() => {
        ticking = undefined;
      });
  };

  function track(account: LeasedAccount): Promise<PollReport> {
    const poll = pollAndFinish(deps, accounts, owner, account).finally(() => running.delete(account.id));
    running.set(account.id, poll);
    return poll;
  }

  const startRenewal = () => {
    renewal ??= setInterval(renew, RENEW_EVERY_MS).unref();
  };

  return {
    start() {
      startRenewal();
      task = cron.schedule(deps.cron, safeTick, { timezone: 'UTC', noOverlap: true, name: 'poll' });
      safeTick();
    },
    async pollNow(accountRow) {
      startRenewal();
      const account = await accounts.leaseOne(owner, accountRow);
      if (!account)
        throw new NotFoundError('the account is being polled right now, or is gone: try again in a moment');
      return track(account);
    },
    async close() {
      closing = true;
      await task?.destroy();
      await ticking;
      await Promise.allSettled(running.values());
      clearInterval(renewal);
      // Without the database they end by themselves.
      await accounts
        .releaseLeases(owner)
        .catch((err) => deps.logger.warn('leases could not be given back', { err }));
    },
  };
}

/** Polls, writes down what came of it, and gives the lease back. @throws what the poll threw */
async function pollAndFinish(
  deps: PollerDependencies,
  accounts: CredentialManager,
  owner: string,
  account: LeasedAccount,
): Promise<PollReport> {
  try {
    const report = await pollAccount(deps.pollOf(account), account);
    await accounts.finishPoll(owner, account.id, report.result);
    deps.onPoll('ok');
    return report;
  } catch (error) {
    const result = afterFailure(error, account, deps);
    deps.onPoll(error instanceof CloudError ? error.kind : 'own_fault');
    deps.logger.warn('poll failed', {
      account: account.publicId,
      retryInSeconds: result.nextPollInSeconds,
      err: error,
    });
    await accounts
      .finishPoll(owner, account.id, result)
      .catch((err) =>
        deps.logger.warn('a poll could not be written down', { account: account.publicId, err }),
      );
    throw error;
  }
}

/**
 * What a failed poll means for the account: nothing, where the whole provider or we ourselves are at fault (also by
 * closing in the middle); else `degraded` from the first one on, with a growing wait. (`needs_reauth` was set where the token was refused.)
 */
export function afterFailure(
  error: unknown,
  account: LeasedAccount,
  { cadence, random }: Pick<PollerDependencies, 'cadence' | 'random'>,
): PollResult {
  const unchanged = { status: account.status, failedPolls: account.failedPolls, lastError: messageOf(error) };
  const failedPolls = account.failedPolls + 1;
  const waitSeconds = backOffSeconds(failedPolls, { ...cadence, random });
  // No key opens its tokens: a matter of this account, which trying every few seconds does not mend.
  if (error instanceof SecretError)
    return { ...unchanged, status: 'degraded', failedPolls, nextPollInSeconds: waitSeconds };
  if (!(error instanceof CloudError) || error.reason === 'aborted')
    return { ...unchanged, nextPollInSeconds: OWN_FAULT_SECONDS };
  // Jitter only ever adds to what was asked for: not all accounts come back in one moment.
  const askedFor = ((error.retryAfterMs ?? 0) / 1000) * (1 + random() / 2);
  const nextPollInSeconds = Math.max(askedFor, waitSeconds);
  if (error.kind === 'provider') return { ...unchanged, nextPollInSeconds };
  const again = error.kind === 'forbidden' ? { userReadAt: READ_USER_AGAIN } : {};
  return { status: 'degraded', failedPolls, lastError: error.message, nextPollInSeconds, ...again };
}
