import { expect } from 'chai';
import type { Program } from '../e2e/program.js';
import { type Receiver, startReceiver } from '../notifications/receiver.js';
import { at, itemsAt } from '../simulator/cloud.js';
import { waitFor } from '../support/wait-for.js';
import { type AccountRow, type LinkedCook, openLinkedCook } from './linked-cook.js';
import { refreshRace } from './refresh-race.js';

const ROLES = 'poller,worker,notifier';
const HOLD = 4711;
/** While the test holds the lock, tokens that the cloud gave cannot be written down. */
const HELD_WRITES = `
  CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(${HOLD});
    RETURN NEW;
  END $$;
  CREATE TRIGGER hold BEFORE UPDATE OF token_version ON thermoworks_credentials
    FOR EACH ROW EXECUTE FUNCTION hold();`;
const BLOCKED = `pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
  AND query LIKE '%SET access_token%'`;

describe('the refresh of an access token', function () {
  this.timeout(600_000);

  it('is one for all processes, expiry after expiry, although their poll leases run out', async () => {
    const { competing } = await refreshRace({ processes: 3, expiries: 10 });
    expect(competing).to.be.greaterThan(1);
  });

  describe('gone wrong', () => {
    let cook: LinkedCook;
    let receiver: Receiver;
    let program: Program;

    before(async () => {
      receiver = await startReceiver();
      cook = await openLinkedCook();
      await cook.db.query(HELD_WRITES);
      await cook.cli(['channel', 'create', '--kind', 'webhook', '--url', `${receiver.url}/cook`]);
      program = await cook.start(ROLES);
    });
    after(async () => {
      await cook.close();
      await receiver.close();
    });

    const tokensOf = (row: AccountRow) => [row.access_token, row.refresh_token, row.token_version];
    const refreshedAfter = (version: number) =>
      waitFor(
        async () => {
          const { status, token_version, last_error } = await cook.row();
          return token_version > version && status === 'active' && last_error === null;
        },
        { timeoutMs: 180_000, what: 'a good poll with new tokens' },
      );
    /** Route, status and account of what the cloud was asked since the last `forget`. */
    const asked = async () =>
      itemsAt(await cook.control('requests'), 'requests').map((one) => ({
        route: at(one, 'route'),
        status: at(one, 'status'),
        account: at(one, 'account'),
      }));
    const tokenAnswers = async () =>
      (await asked()).filter(({ route }) => route === 'token').map(({ status }) => status);

    const strange = async () => {
      const { refresh_token, uid } = cook.cloud.account(1);
      const { json } = await cook.cloud.refresh(refresh_token);
      expect(at(json, 'user_id')).to.equal(uid);
      return { json };
    };
    for (const [name, answer, error] of [
      ['an answer of 503', async () => ({ status: 503 }), 'refresh failed: transient'],
      ['the tokens of another user', strange, 'refresh failed: rejected, answer for another user'],
    ] as const)
      it(`by ${name} changes no token and mixes in nothing; the next one after it succeeds`, async () => {
        await refreshedAfter(0);
        await cook.fault({ route: 'token', ...(await answer()) });
        await cook.forget();
        const before = await cook.row();
        await cook.expire();
        const hasFailed = async () => (await cook.row()).last_error?.startsWith(error);
        await waitFor(hasFailed, { timeoutMs: 120_000, what: error });
        expect((await cook.row()).status).to.equal('degraded');
        expect(tokensOf(await cook.row())).to.deep.equal(tokensOf(before));
        await cook.cloud.request('/_control/faults', { method: 'DELETE' });
        await refreshedAfter(before.token_version);
        expect(
          (await asked()).filter(({ account }) => account === cook.cloud.account(1).email),
        ).to.deep.equal([]);
        const { rows } = await cook.db.query('SELECT device_id FROM devices');
        expect(rows.map((row) => row.device_id)).to.deep.equal(
          (await cook.cloud.devices()).map(({ id }) => id),
        );
        expect(await cook.stored()).to.equal(await cook.newest());
        expect(receiver.received).to.deep.equal([]);
      });

    /** Kills the process that has the cloud's new tokens and has not written them, and starts another. */
    async function killBetweenAnswerAndWrite(): Promise<AccountRow> {
      await refreshedAfter(0);
      const before = await cook.row();
      await cook.db.query('SELECT pg_advisory_lock($1)', [HOLD]);
      await cook.forget();
      await cook.expire();
      const isBlocked = async () => (await cook.db.query(`SELECT FROM ${BLOCKED}`)).rowCount;
      await waitFor(isBlocked, { timeoutMs: 120_000, what: 'a write that is held' });
      expect(await program.stop('SIGKILL')).to.equal('SIGKILL');
      // A statement that waits outlives its client, and would be carried out.
      const isGone = async () =>
        (await cook.db.query(`SELECT pg_terminate_backend(pid) FROM ${BLOCKED}`)).rowCount === 0;
      await waitFor(isGone, { what: 'the end of that write' });
      await cook.db.query('SELECT pg_advisory_unlock($1)', [HOLD]);
      expect(tokensOf(await cook.row())).to.deep.equal(tokensOf(before));
      expect(await tokenAnswers()).to.deep.equal([200]);
      await cook.db.query(
        'UPDATE thermoworks_credentials SET lease_until = now(), refresh_lease_until = now()',
      );
      program = await cook.start(ROLES);
      return before;
    }

    it('in a process killed before it wrote is made up for with the present token', async () => {
      await cook.fault({ account: cook.email, set: 'rotate_lenient' });
      const { token_version: before } = await killBetweenAnswerAndWrite();
      await refreshedAfter(before);
      expect(await tokenAnswers()).to.deep.equal([200, 200]);
      expect([await cook.stored(), receiver.received]).to.deep.equal([await cook.newest(), []]);
    });

    it('in such a process, where the cloud ended the token at once, ends with one message until a new link', async () => {
      await cook.fault({ account: cook.email, set: 'rotate_strict' });
      const before = await killBetweenAnswerAndWrite();
      await waitFor(() => receiver.received.length > 0, { timeoutMs: 120_000, what: 'a message' });
      expect(await cook.row()).to.include({ status: 'needs_reauth' });
      expect((await cook.row()).last_error).to.include('INVALID_REFRESH_TOKEN');
      // The present token, and once the one before it.
      expect(before.previous_refresh_token).to.be.a('string');
      expect(await tokenAnswers()).to.deep.equal([200, 400, 400]);
      await cook.link();
      await refreshedAfter(before.token_version);
      expect(await cook.stored()).to.equal(await cook.newest());
      const messages = receiver.received.map(({ body }) => at(JSON.parse(body), 'type'));
      expect(messages).to.deep.equal(['account.needs_reauth']);
      expect(await program.stop()).to.equal(0);
    });
  });
});
