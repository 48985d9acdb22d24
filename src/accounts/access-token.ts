import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { CloudError } from '../thermoworks/cloud-error.js';
import type { Tokens } from '../thermoworks/types.js';
import { insist } from '../worker/outage.js';
import { type LeasedAccount, tokenOwner } from './credential-manager.js';
import type { SecretBox } from './secret-box.js';

const REFRESH_AHEAD_SECONDS = 300;
const LEASE_SECONDS = 20;
/** Of a lease, what is left for storing: until then the cloud has answered for both tokens, or has not. */
const STORE_SECONDS = 5;
const SHORTEST_ASK_MS = 1_000;
const POLL_LEASE_MS = 100;
/** The cloud may have ended the token before: what it gave instead is not let go while the database is away. */
const INSIST_FOR_MS = 120_000;

const tokenRow = z.object({
  access_token: z.string().nullable(),
  refresh_token: z.string(),
  previous_refresh_token: z.string().nullable(),
  token_version: z.number(),
  seconds_left: z.coerce.number().nullable(),
});
type TokenRow = z.infer<typeof tokenRow>;

export type RefreshOutcome = 'refreshed' | 'dead' | 'failed';

/** Gives an access token of an account that can be used now; refreshes it at most once over all processes. */
export type AccessTokens = (account: LeasedAccount, refused?: string) => Promise<string>;

/**
 * A refresh runs under a lease in the account's row, outside any transaction, and the cloud is asked only while the
 * lease lasts; its tokens are stored by compare-and-set on `token_version` before anybody uses them. A token that the
 * cloud refuses is dead only if it is still the current one; the one before it is tried once, for the case that a
 * process died between the cloud's answer and its write.
 * @throws CloudError of the refresh; kind `dead_credential` after the account was marked and `onDead` ran
 */
export function createAccessTokens({
  dataSource,
  box,
  refresh,
  onDead,
  onRefresh = () => undefined,
  jitter = Math.random,
}: {
  dataSource: DataSource;
  box: SecretBox;
  /** Asks the account's provider, and gives up after `withinMs`. */
  refresh: (account: LeasedAccount, refreshToken: string, withinMs: number) => Promise<Tokens>;
  /** Runs in the transaction that marks an account `needs_reauth`, once per marking; what it returns runs after the commit. */
  onDead: (tx: EntityManager, account: LeasedAccount) => Promise<() => unknown>;
  onRefresh?: (outcome: RefreshOutcome) => void;
  jitter?: () => number;
}): AccessTokens {
  const open = (sealed: string, { userId }: LeasedAccount, column: 'access_token' | 'refresh_token') =>
    box.open(sealed, tokenOwner(userId, column));

  return async (account, refused) => {
    const ahead = REFRESH_AHEAD_SECONDS * (0.8 + 0.4 * jitter());
    const deadline = performance.now() + 2 * LEASE_SECONDS * 1000;
    // Whoever waited for somebody else's refresh takes what it brought, however short-lived.
    for (let enough = ahead; ; enough = 0) {
      const row = await readTokens(dataSource, account.id);
      const current = row.access_token === null ? null : open(row.access_token, account, 'access_token');
      if (current !== null && current !== refused && (row.seconds_left ?? 0) > enough) return current;
      const leaseEnds = performance.now() + LEASE_SECONDS * 1000;
      if (await takeLease(dataSource, account.id, row.token_version)) {
        const fresh = await refreshUnderLease(account, row, leaseEnds);
        if (fresh !== undefined) return fresh;
      }
      if (performance.now() > deadline) throw new CloudError('refresh', 'transient', 'lease held');
      await new Promise((resolve) => setTimeout(resolve, POLL_LEASE_MS));
    }
  };

  /** Undefined where the tokens were replaced while the cloud refused those of `row`. */
  async function refreshUnderLease(
    account: LeasedAccount,
    row: TokenRow,
    leaseEnds: number,
  ): Promise<string | undefined> {
    try {
      const tokens = await askCurrentThenPrevious(account, row, leaseEnds - STORE_SECONDS * 1000);
      if (tokens.uid !== account.uid) throw new CloudError('refresh', 'rejected', 'answer for another user');
      await insist(() => storeTokens(dataSource, account, row, tokens, box), INSIST_FOR_MS);
      onRefresh('refreshed');
      return tokens.accessToken;
    } catch (error) {
      if (error instanceof CloudError && error.kind === 'dead_credential') {
        if (!(await markDead(account, row, error))) return undefined;
        onRefresh('dead');
      } else {
        onRefresh('failed');
        // One that has run out may be somebody else's by now.
        if (performance.now() < leaseEnds) await releaseLease(dataSource, account.id, row.token_version);
      }
      throw error;
    }
  }

  async function askCurrentThenPrevious(
    account: LeasedAccount,
    row: TokenRow,
    askUntil: number,
  ): Promise<Tokens> {
    const ask = (sealed: string) => {
      const withinMs = askUntil - performance.now();
      // A token must not rotate for an answer that nobody waits for.
      if (withinMs < SHORTEST_ASK_MS) throw new CloudError('refresh', 'transient', 'lease ran out');
      return refresh(account, open(sealed, account, 'refresh_token'), withinMs);
    };
    try {
      return await ask(row.refresh_token);
    } catch (error) {
      const dead = error instanceof CloudError && error.kind === 'dead_credential';
      if (!dead || row.previous_refresh_token === null) throw error;
      return ask(row.previous_refresh_token);
    }
  }

  /** False where `row` is not the account's present one any more: then nobody knows that it is dead. */
  async function markDead(account: LeasedAccount, row: TokenRow, error: CloudError): Promise<boolean> {
    let committed = (): unknown => undefined;
    const isPresent = await dataSource.transaction(async (tx) => {
      const rows: unknown = await tx.query(
        'SELECT status FROM thermoworks_credentials WHERE id = $1 AND token_version = $2 FOR UPDATE',
        [account.id, row.token_version],
      );
      const [present] = z.array(z.object({ status: z.string() })).parse(rows);
      if (!present) return false;
      await tx.query(
        `UPDATE thermoworks_credentials SET status = 'needs_reauth', last_error = $2, refresh_lease_until = NULL,
           updated_at = now()
         WHERE id = $1`,
        [account.id, error.reason.slice(0, 500)],
      );
      if (present.status !== 'needs_reauth') committed = await onDead(tx, account);
      return true;
    });
    await committed();
    return isPresent;
  }
}

async function readTokens(dataSource: DataSource, id: number): Promise<TokenRow> {
  const rows: unknown = await dataSource.query(
    `SELECT access_token, refresh_token, previous_refresh_token, token_version,
       extract(epoch FROM expires_at - now()) AS seconds_left
     FROM thermoworks_credentials WHERE id = $1`,
    [id],
  );
  const [row] = z.array(tokenRow).parse(rows);
  if (!row) throw new CloudError('refresh', 'no_account', 'unlinked');
  return row;
}

async function takeLease(dataSource: DataSource, id: number, version: number): Promise<boolean> {
  const [, taken]: unknown[] = await dataSource.query(
    `UPDATE thermoworks_credentials SET refresh_lease_until = now() + make_interval(secs => $3)
     WHERE id = $1 AND token_version = $2 AND (refresh_lease_until IS NULL OR refresh_lease_until < now())`,
    [id, version, LEASE_SECONDS],
  );
  return taken === 1;
}

async function releaseLease(dataSource: DataSource, id: number, version: number): Promise<void> {
  await dataSource.query(
    'UPDATE thermoworks_credentials SET refresh_lease_until = NULL WHERE id = $1 AND token_version = $2',
    [id, version],
  );
}

/**
 * If somebody newer won meanwhile (a new link), theirs stays and ours is still good for its own hour. Who was refused the
 * token before, while these could not be stored, was wrong about the account.
 */
async function storeTokens(
  dataSource: DataSource,
  account: LeasedAccount,
  row: TokenRow,
  tokens: Tokens,
  box: SecretBox,
): Promise<void> {
  await dataSource.query(
    `UPDATE thermoworks_credentials SET access_token = $3, refresh_token = $4,
       previous_refresh_token = CASE WHEN $5 THEN refresh_token ELSE previous_refresh_token END,
       expires_at = now() + make_interval(secs => $6), token_version = token_version + 1, refresh_lease_until = NULL,
       status = CASE status WHEN 'needs_reauth' THEN 'active' ELSE status END, updated_at = now()
     WHERE id = $1 AND token_version = $2`,
    [
      account.id,
      row.token_version,
      box.seal(tokens.accessToken, tokenOwner(account.userId, 'access_token')),
      box.seal(tokens.refreshToken, tokenOwner(account.userId, 'refresh_token')),
      tokens.refreshToken !== box.open(row.refresh_token, tokenOwner(account.userId, 'refresh_token')),
      tokens.expiresInSeconds,
    ],
  );
}
