import type { DataSource } from 'typeorm';
import type { UserSettings } from '../../src/accounts/user-manager.js';
import { createIngest } from '../../src/ingest/ingest.js';
import { createInUseReport } from '../../src/poller/in-use.js';
import type { ReadingsJob } from '../../src/queues/jobs.js';
import { openCloud } from '../simulator/cloud.js';
import { captureLog } from '../support/captured-log.js';
import { createTestDatabase } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';
import { clientOf, linkAccount, openDatabase, pollerOf, pollParts } from './parts.js';

export interface StoredReading {
  device_id: string;
  probe_id: string;
  measured_at: string;
  value: number;
  unit: string;
}

/** Every stored reading of a user (default: of all), as text rows that a ledger's rows can be compared with. */
export async function storedRows(dataSource: DataSource, user?: number): Promise<string[]> {
  const rows = await dataSource.query<(Omit<StoredReading, 'measured_at'> & { measured_at: Date })[]>(
    `SELECT p.device_id, p.probe_id, r.measured_at, r.value, r.unit FROM readings r JOIN probes p ON p.id = r.probe_id
     WHERE $1::integer IS NULL OR p.user_id = $1`,
    [user ?? null],
  );
  return rows.map((row) => rowText({ ...row, measured_at: row.measured_at.toISOString() })).sort();
}

export function rowText({ device_id, probe_id, measured_at, value, unit }: StoredReading): string {
  return `${device_id} ${probe_id} ${measured_at} ${value} ${unit}`;
}

/** A database for the kitchens of one test file, one after the other. */
export async function openHome() {
  const database = await createTestDatabase();
  const dataSource = await openDatabase(database.url);
  return {
    dataSource,
    url: database.url,
    empty: async () => {
      await dataSource.query('DELETE FROM users');
      await dataSource.query('DELETE FROM readings');
    },
    close: async () => {
      await dataSource.destroy();
      await database.drop();
    },
  };
}

export type Home = Awaited<ReturnType<typeof openHome>>;

/** A simulator whose clock only the test moves, and linked accounts that are polled on demand. */
export async function openKitchen(
  { dataSource, empty }: Home,
  { accounts = 1, devices = 1 }: { accounts?: number; devices?: number } = {},
) {
  const cloud = await openCloud({ accounts, devices, deviceDelayMs: 0 });
  const sent: string[] = [];
  const client = clientOf(cloud.simulator.url, (call) => sent.push(call));
  const ingest = createIngest({ dataSource });
  const queue = { fate: 'ingested' as 'ingested' | 'lost' | 'broken', jobs: [] as ReadingsJob[] };
  const report = captureLog();
  const inUse = createInUseReport(report.logger);
  const parts = pollParts(dataSource, client, {
    onInUse: inUse,
    enqueue: async (job) => {
      if (queue.fate === 'broken') throw new Error('no queue');
      queue.jobs.push(job);
      if (queue.fate === 'ingested') await ingest([job]);
    },
  });
  const { poller } = pollerOf(parts);

  const control = async (path: string, body: object) => {
    const { status, text } = await cloud.post(`/_control/${path}`, body);
    if (status !== 200) throw new Error(text);
  };
  const served = async () => {
    const { json } = await cloud.request('/_control/requests');
    return Object.values(Object(Reflect.get(Object(json), 'counts'))).reduce(
      (a: number, b) => a + Number(b),
      0,
    );
  };
  let servedBefore = 0;
  /** Polls, and tells the calls that it made, as the simulator saw them. */
  const poll = async (account: number) => {
    sent.length = 0;
    await cloud.request('/_control/requests', { method: 'DELETE' });
    const jobsBefore = queue.jobs.length;
    const error = await poller.pollNow(account).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    await waitFor(async () => (await served()) === sent.length, { what: 'the requests that were sent' });
    servedBefore = sent.length;
    const counts: Record<string, number> = {};
    for (const call of sent) counts[call] = (counts[call] ?? 0) + 1;
    return { counts, error, jobs: queue.jobs.slice(jobsBefore) };
  };
  const accountRow = async (id: number) => {
    const [row] = await dataSource.query(
      `SELECT status, failed_polls, last_error, extract(epoch FROM next_poll_at - now())::float8 AS next_in
       FROM thermoworks_credentials WHERE id = $1`,
      [id],
    );
    return row;
  };

  return {
    cloud,
    dataSource,
    client,
    parts,
    poller,
    queue,
    report,
    poll,
    accountRow,
    requests: () => servedBefore,
    fault: (body: object) => control('faults', body),
    noFaults: () => cloud.request('/_control/faults', { method: 'DELETE' }),
    readings: (body: object) => control('readings', body),
    /** Moves the cloud's clock. */
    pass: (seconds: number) => {
      cloud.clock.now += seconds * 1000;
    },
    link: (index = 0, email = `cook${index + 1}@here.test`, settings: UserSettings = {}) =>
      linkAccount(dataSource, client, {
        email,
        refreshToken: cloud.account(index).refresh_token,
        ...settings,
      }),
    served: (index = 0) =>
      cloud.simulator
        .ledger()
        .filter(({ account }) => account === cloud.account(index).email)
        .map(rowText)
        .sort(),
    close: async () => {
      await poller.close();
      client.close();
      await cloud.simulator.close();
      await empty();
    },
  };
}

export type Kitchen = Awaited<ReturnType<typeof openKitchen>>;
