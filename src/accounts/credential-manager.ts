import { type EntityManager, Not } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { type AccountStatus, ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { InputError, NotFoundError } from '../errors.js';
import { endSessionsOf } from '../sessions/end-sessions.js';
import type { CloudUser, ProviderName, Tokens } from '../thermoworks/types.js';
import type { SecretBox } from './secret-box.js';

const leasedRow = z.object({
  id: z.number(),
  public_id: z.string(),
  user_id: z.number(),
  provider: z.enum(['thermoworks', 'eti', 'simulator']),
  thermoworks_uid: z.string(),
  account_id: z.string().nullable(),
  status: z.enum(['active', 'needs_reauth', 'degraded', 'paused']),
  failed_polls: z.number(),
  cloud_read_at: z.date().nullable(),
  swept_at: z.date().nullable(),
  user_read_at: z.date().nullable(),
});

/** An account that this process may poll until its lease ends. */
export interface LeasedAccount {
  id: number;
  publicId: string;
  userId: number;
  provider: ProviderName;
  uid: string;
  accountId: string | null;
  status: AccountStatus;
  failedPolls: number;
  /** The cloud's clock at the last good poll. */
  cloudReadAt: Date | null;
  sweptAt: Date | null;
  userReadAt: Date | null;
}

/** What a poll leaves behind; undefined leaves a column as it is. */
export interface PollResult {
  status: AccountStatus;
  nextPollInSeconds: number;
  failedPolls: number;
  lastError: string | null;
  accountId?: string;
  cloudReadAt?: Date;
  sweptAt?: Date;
  userReadAt?: Date;
}

const LEASED = `c.id, c.public_id, c.user_id, c.provider, c.thermoworks_uid, c.account_id, c.status, c.failed_polls,
  c.cloud_read_at, c.swept_at, c.user_read_at`;

/** The owner part that binds a token's ciphertext to its row and column. */
export const tokenOwner = (userId: number, column: 'access_token' | 'refresh_token'): string =>
  `thermoworks_credentials.${column}.${userId}`;

/** Linked cloud accounts: reads and writes of `thermoworks_credentials`, leases included. */
export class CredentialManager {
  /** @param db a transaction's manager makes the class part of it */
  constructor(private readonly db: EntityManager) {}

  /**
   * Stores a proven link. The same cloud user again gets its tokens replaced; another one is refused.
   * @throws InputError when the user is linked to another cloud user
   */
  async link(
    userId: number,
    { provider, tokens, user }: { provider: ProviderName; tokens: Tokens; user: CloudUser },
    box: SecretBox,
  ): Promise<ThermoworksCredential> {
    const repository = this.db.getRepository(ThermoworksCredential);
    const known = await repository.findOne({ where: { userId }, lock: { mode: 'pessimistic_write' } });
    if (known && (known.thermoworksUid !== tokens.uid || known.provider !== provider)) {
      throw new InputError(
        'already linked to another cloud account: unlink it first (grill-stats account unlink)',
      );
    }
    return repository.save({
      ...(known ?? { publicId: uuidv7(), userId, provider, thermoworksUid: tokens.uid }),
      accountId: user.accountId,
      ...this.sealed(userId, tokens, box),
      previousRefreshToken: null,
      tokenVersion: (known?.tokenVersion ?? 0) + 1,
      refreshLeaseUntil: null,
      status: 'active' as const,
      nextPollAt: new Date(),
      lastError: null,
      failedPolls: 0,
      userReadAt: new Date(),
    });
  }

  private sealed(userId: number, tokens: Tokens, box: SecretBox) {
    return {
      accessToken: box.seal(tokens.accessToken, tokenOwner(userId, 'access_token')),
      refreshToken: box.seal(tokens.refreshToken, tokenOwner(userId, 'refresh_token')),
      expiresAt: new Date(Date.now() + tokens.expiresInSeconds * 1000),
    };
  }

  /** @throws NotFoundError when the user has no linked account */
  async getOfUser(userId: number): Promise<ThermoworksCredential> {
    const account = await this.db.getRepository(ThermoworksCredential).findOneBy({ userId });
    if (!account) throw new NotFoundError('no linked account: link one with `grill-stats account link`');
    return account;
  }

  async list(userId?: number): Promise<ThermoworksCredential[]> {
    return this.db.getRepository(ThermoworksCredential).find({
      where: userId === undefined ? {} : { userId },
      relations: { user: true },
      order: { id: 'ASC' },
    });
  }

  /** `resume` also lets an account in `degraded` try at once; one in `needs_reauth` must be linked again. */
  async setPaused(userId: number, paused: boolean): Promise<ThermoworksCredential> {
    const { id } = await this.getOfUser(userId);
    // These columns alone: a poll may be storing new tokens in the others right now.
    const { affected } = await this.db
      .getRepository(ThermoworksCredential)
      .update(
        { id, status: Not('needs_reauth') },
        paused ? { status: 'paused' } : { status: 'active', nextPollAt: () => 'now()' },
      );
    if (affected === 0)
      throw new InputError('the cloud refused this account: link it again with `grill-stats account link`');
    return this.getOfUser(userId);
  }

  /** Forgets the tokens; devices and history stay. Nobody looks any more, so what runs ends at its last reading. */
  async unlink(userId: number): Promise<void> {
    const { id } = await this.getOfUser(userId);
    await this.db.transaction(async (tx) => {
      const devices: unknown = await tx.query(
        'SELECT device_id FROM devices WHERE user_id = $1 ORDER BY id FOR NO KEY UPDATE',
        [userId],
      );
      const serials = z.array(z.object({ device_id: z.string() })).parse(devices);
      await tx.delete(ThermoworksCredential, { id });
      await endSessionsOf(
        tx,
        userId,
        serials.map((row) => row.device_id),
      );
      await tx.query(`UPDATE devices SET status = 'offline', updated_at = now() WHERE user_id = $1`, [
        userId,
      ]);
    });
  }

  /** Takes up to `limit` due accounts for 10 s. One statement; the cost depends on what is due. */
  async leaseDue(owner: string, limit: number): Promise<LeasedAccount[]> {
    return this.lease(
      owner,
      `c.status IN ('active', 'degraded') AND c.next_poll_at <= now() AND u.deleted_at IS NULL AND u.is_active`,
      limit,
      [],
    );
  }

  /** Takes one account, due or not; undefined while another process holds it. */
  async leaseOne(owner: string, accountRow: number): Promise<LeasedAccount | undefined> {
    return (await this.lease(owner, 'c.id = $3', 1, [accountRow]))[0];
  }

  private async lease(
    owner: string,
    which: string,
    limit: number,
    more: unknown[],
  ): Promise<LeasedAccount[]> {
    const [rows]: unknown[] = await this.db.query(
      `UPDATE thermoworks_credentials c SET lease_owner = $1, lease_until = now() + interval '10 seconds'
       WHERE c.id IN (
         SELECT c.id FROM thermoworks_credentials c JOIN users u ON u.id = c.user_id
         WHERE ${which} AND (c.lease_until IS NULL OR c.lease_until < now())
         ORDER BY c.next_poll_at LIMIT $2 FOR UPDATE OF c SKIP LOCKED)
       RETURNING ${LEASED}`,
      [owner, limit, ...more],
    );
    return z.array(leasedRow).parse(rows).map(toLeased);
  }

  /** Keeps the leases of polls that still run; one statement. */
  async renewLeases(owner: string, accountRows: readonly number[]): Promise<void> {
    await this.db.query(
      `UPDATE thermoworks_credentials SET lease_until = now() + interval '10 seconds'
       WHERE id = ANY($2) AND lease_owner = $1`,
      [owner, accountRows],
    );
  }

  /** Writes what the poll found and gives the lease back, if it is still ours. */
  async finishPoll(owner: string, accountRow: number, result: PollResult): Promise<void> {
    await this.db.query(
      `UPDATE thermoworks_credentials SET
         status = CASE WHEN status IN ('active', 'degraded') THEN $3 ELSE status END,
         next_poll_at = now() + make_interval(secs => $4), failed_polls = $5, last_error = $6,
         account_id = coalesce($7, account_id), cloud_read_at = coalesce($8, cloud_read_at),
         swept_at = coalesce($9, swept_at), user_read_at = coalesce($10, user_read_at),
         last_polled_at = now(), lease_owner = NULL, lease_until = NULL, updated_at = now()
       WHERE id = $2 AND lease_owner = $1`,
      [
        owner,
        accountRow,
        result.status,
        result.nextPollInSeconds,
        result.failedPolls,
        result.lastError,
        result.accountId ?? null,
        result.cloudReadAt ?? null,
        result.sweptAt ?? null,
        result.userReadAt ?? null,
      ],
    );
  }

  /** Gives leases back without a word: the next tick of any process polls the accounts again. */
  async releaseLeases(owner: string): Promise<void> {
    await this.db.query(
      'UPDATE thermoworks_credentials SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1',
      [owner],
    );
  }
}

function toLeased(row: z.infer<typeof leasedRow>): LeasedAccount {
  return {
    id: row.id,
    publicId: row.public_id,
    userId: row.user_id,
    provider: row.provider,
    uid: row.thermoworks_uid,
    accountId: row.account_id,
    status: row.status,
    failedPolls: row.failed_polls,
    cloudReadAt: row.cloud_read_at,
    sweptAt: row.swept_at,
    userReadAt: row.user_read_at,
  };
}
