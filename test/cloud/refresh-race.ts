import { expect } from 'chai';
import { waitFor } from '../support/wait-for.js';
import { type LinkedCook, openLinkedCook } from './linked-cook.js';

/** Long enough for all that tick at the same second, a little apart, to come while the cloud still thinks. */
const ANSWER_MS = 500;

/**
 * Poll leases run out in the moment they are taken, as those of processes do that stand still, so that all processes
 * poll the account at the same time and only the lease of the refresh is between them. Tells who polled it.
 */
const LAPSING_LEASES = `
  CREATE TABLE contenders (token_version integer, owner uuid, PRIMARY KEY (token_version, owner));
  CREATE FUNCTION lapse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.lease_owner IS NOT NULL THEN
      INSERT INTO contenders VALUES (NEW.token_version, NEW.lease_owner) ON CONFLICT DO NOTHING;
      NEW.lease_until := now() - interval '1 second';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER lapse BEFORE UPDATE OF lease_until ON thermoworks_credentials
    FOR EACH ROW EXECUTE FUNCTION lapse();`;

/**
 * Processes that all want a new access token of one strictly rotating account, expiry after expiry: every second time by
 * its age, else because the cloud refuses it. Throws at the first expiry that did not cost exactly one refresh.
 * @returns refreshes as the cloud counted them, and how many processes polled the account during a refresh, on average
 */
export async function refreshRace({
  processes,
  expiries,
}: {
  processes: number;
  expiries: number;
}): Promise<{ refreshes: number; competing: number }> {
  const cook = await openLinkedCook();
  try {
    const started = await Promise.all(Array.from({ length: processes }, () => cook.start('poller,worker')));
    await cook.fault({ account: cook.email, set: 'rotate_strict' });
    await cook.fault({ route: 'token', delay_ms: ANSWER_MS });
    await cook.db.query(LAPSING_LEASES);
    await cook.forget();
    let competing = 0;
    for (let expiry = 1; expiry <= expiries; expiry += 1) competing += await expireOnce(cook, expiry);
    // A poll that lasts from one expiry into the next is refused twice, and the account degraded until its next one.
    await waitFor(async () => (await cook.row()).status === 'active', {
      timeoutMs: 120_000,
      what: 'a good poll',
    });
    for (const program of started) expect(await program.stop(), program.output.stderr).to.equal(0);
    const refreshes = await cook.refreshes();
    expect([refreshes, await cook.stored()]).to.deep.equal([expiries, await cook.newest()]);
    expect((await cook.db.query('SELECT FROM notifications')).rowCount).to.equal(0);
    return { refreshes, competing: competing / expiries };
  } finally {
    await cook.close();
  }
}

const isDead = async (cook: LinkedCook) => (await cook.row()).status === 'needs_reauth';

async function expireOnce(cook: LinkedCook, expiry: number): Promise<number> {
  const { token_version: before } = await cook.row();
  await cook.db.query('DELETE FROM contenders');
  if (expiry % 2 === 1) await cook.expire();
  else await cook.fault({ account: cook.email, set: 'expire_tokens' });
  const isOver = async () =>
    ((await cook.row()).token_version > before && (await cook.refreshes()) >= expiry) || (await isDead(cook));
  await waitFor(isOver, { timeoutMs: 120_000, what: `a refresh after expiry ${expiry}` });
  const seen = { isDead: await isDead(cook), refreshes: await cook.refreshes() };
  expect(seen, `expiry ${expiry}`).to.deep.equal({ isDead: false, refreshes: expiry });
  const owners = await cook.db.query('SELECT FROM contenders WHERE token_version = $1', [before]);
  return owners.rowCount ?? 0;
}
