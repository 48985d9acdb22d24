import { expect } from 'chai';
import { Client } from 'pg';
import { createSecretBox } from '../../src/accounts/secret-box.js';
import { command, endPrograms, type Program, startProgram, untilItSays } from '../e2e/program.js';
import { at, openCloud } from '../simulator/cloud.js';
import { createTestDatabase, testQueuePrefix, testRedisUrl } from '../support/servers.js';

const KEY = Buffer.alloc(32, 9);
const COOK = 'cook@here.test';

export interface AccountRow {
  status: string;
  last_error: string | null;
  token_version: number;
  access_token: string;
  refresh_token: string;
  previous_refresh_token: string | null;
  refresh_lease_until: Date | null;
}

/** A database, a cloud whose first account is linked, and processes of ours that poll it each second. */
export async function openLinkedCook() {
  const database = await createTestDatabase();
  const cloud = await openCloud({ accounts: 2, devices: 1, seed: 5, now: Date.now });
  const db = new Client({ connectionString: database.url });
  await db.connect();
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: await testRedisUrl(),
    QUEUE_PREFIX: testQueuePrefix(),
    CREDENTIALS_KEYS: `k1:${KEY.toString('base64')}`,
    THERMOWORKS_BASE_URL: cloud.simulator.url,
    ALLOW_PRIVATE_WEBHOOKS: 'true',
    POLL_CRON: '* * * * * *',
    POLL_MIN_SECONDS: '1',
    POLL_MAX_SECONDS: '1',
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
    DB_POOL_SIZE: '2',
  };
  const { email } = cloud.account();
  const box = createSecretBox([{ id: 'k1', key: KEY }]);
  const control = async (path: string, body?: object) => {
    const answer = body
      ? await cloud.post(`/_control/${path}`, body)
      : await cloud.request(`/_control/${path}`);
    expect(answer.status, answer.text).to.equal(200);
    return answer.json;
  };
  const cli = async (args: string[], stdin = '') => {
    const answer = await command([...args, '--email', COOK], { ...env, LOG_LEVEL: 'error' }, stdin);
    expect(answer.code, answer.stderr).to.equal(0);
  };
  /** The newest refresh token, as the cloud knows it. */
  const newest = async () => String(at(await control('accounts'), '0.refresh_token'));
  const cook = {
    cloud,
    db,
    email,
    control,
    cli,
    newest,
    link: async () => cli(['account', 'link', '--refresh-token-stdin'], await newest()),
    fault: (body: object) => control('faults', body),
    row: async (): Promise<AccountRow> => (await db.query('SELECT * FROM thermoworks_credentials')).rows[0],
    stored: async () =>
      box.open(
        (await cook.row()).refresh_token,
        `thermoworks_credentials.refresh_token.${await cook.user()}`,
      ),
    user: async (): Promise<number> => (await db.query('SELECT id FROM users')).rows[0].id,
    /** Requests for tokens since {@link forget}. */
    refreshes: async () => Number(at(await control('requests'), 'counts.token') ?? 0),
    forget: () => cloud.request('/_control/requests', { method: 'DELETE' }),
    /** As if an hour had passed, and at once a poll were due. */
    expire: () => db.query('UPDATE thermoworks_credentials SET expires_at = now(), next_poll_at = now()'),
    start: async (roles: string): Promise<Program> => {
      const program = startProgram(['run', '--roles', roles], env);
      await untilItSays(program, '"started"', 180_000);
      return program;
    },
    close: async () => {
      await endPrograms();
      await db.end();
      await cloud.simulator.close();
      await database.drop();
    },
  };
  await cli(['user', 'create']);
  await cook.link();
  return cook;
}

export type LinkedCook = Awaited<ReturnType<typeof openLinkedCook>>;
