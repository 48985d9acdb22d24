import { createIngest, type IngestOutcome } from '../../src/ingest/ingest.js';
import type { createMetrics } from '../../src/metrics.js';
import { createPoller } from '../../src/poller/poller.js';
import type { LedgerEntry } from '../../src/simulator/ledger.js';
import type { CallLimits } from '../../src/thermoworks/cloud-caller.js';
import type { CloudClient } from '../../src/thermoworks/cloud-client.js';
import { type Home, rowText, storedRows } from '../poller/kitchen.js';
import { clientOf, linkAccount, pollParts } from '../poller/parts.js';
import { openCloud } from '../simulator/cloud.js';
import { captureLog } from '../support/captured-log.js';
import { waitFor } from '../support/wait-for.js';

/** `victim` is hit, where one is not enough the others after it; `sibling` has the same provider, `stranger` another. */
const NAMES = ['victim', 'sibling', 'stranger', 'second', 'third', 'fourth'] as const;
export type Name = (typeof NAMES)[number];

export interface StageOptions {
  /** Default 3. */
  accounts?: number;
  /** Of each account. */
  devices?: number;
  limits?: Partial<CallLimits>;
  /** There from the victim's first poll on. */
  fault?: object;
}

/** What one account looks like after its poll. `next`: seconds from the poll to `next_poll_at`. */
export interface AccountRow {
  status: string;
  failed_polls: number;
  last_error: string | null;
  next: number;
}

type Metrics = ReturnType<typeof createMetrics>;
const COUNTED =
  /^grill_stats_(polls|readings_stored|readings_rejected|cloud_requests)_total(?:\{(.*)\})? (\d+)$/gm;

/** Counters as the process shows them at `/metrics`, by name and label words: `cloud_requests devices 200`. */
async function countersOf(metrics: Metrics): Promise<Map<string, number>> {
  const text = await metrics.text({ pool: { size: 0, checkedOut: 0, idle: 0, waiting: 0 } });
  return new Map(
    [...text.matchAll(COUNTED)].map(([, name, labels = '', count]) => [
      [name, ...[...labels.matchAll(/"(\w+)"/g)].map(([, word]) => word)].join(' '),
      Number(count),
    ]),
  );
}

/** Linked accounts, polled through ticks, leases, HTTP and ingest; clocks only the test moves; no chance. */
export async function openStage({ dataSource, empty }: Home, metrics: Metrics, options: StageOptions = {}) {
  const { accounts = 3, devices = 1, limits } = options;
  const cloud = await openCloud({ accounts, devices, deviceDelayMs: 0 });
  const cloudAccount = (name: Name) => cloud.account(NAMES.indexOf(name));
  const clock = { ms: Date.now() };
  const chance = { now: () => new Date(clock.ms), random: () => 0.5 };
  const log = captureLog();
  const ingest = createIngest({ dataSource });
  const committed = ({ stored, conflicts }: IngestOutcome) => {
    metrics.readingsStored(stored.length);
    if (conflicts > 0) metrics.readingsRejected('conflict', conflicts);
  };
  const connect = (provider: object = {}) => {
    const client = clientOf(cloud.simulator.url, metrics.cloudRequest, { limits, provider, ...chance });
    const parts = pollParts(dataSource, client, {
      onRejected: metrics.readingsRejected,
      enqueue: async (job) => committed(await ingest([job])),
    });
    return { client, parts };
  };
  let ours = connect();
  const theirs = connect();

  const sql = (text: string, values: unknown[] = []) => dataSource.query(text, values);
  const control = async (path: string, body: object) => {
    const { status, text } = await cloud.post(`/_control/${path}`, body);
    if (status !== 200) throw new Error(text);
  };
  const link = (client: CloudClient, name: Name) =>
    linkAccount(dataSource, client, {
      email: `${name}@here.test`,
      refreshToken: cloudAccount(name).refresh_token,
      provider: name === 'stranger' ? 'eti' : 'thermoworks',
    });
  const linked = new Map<Name, { user: number; account: number }>();
  for (const name of NAMES.slice(0, accounts))
    linked.set(name, await link((name === 'stranger' ? theirs : ours).client, name));
  const of = (name: Name) => {
    const found = linked.get(name);
    if (!found) throw new Error(`nobody is ${name}`);
    return found;
  };
  const rowOf = async (name: Name): Promise<AccountRow> => {
    const [row] = await sql(
      `SELECT status, failed_polls, last_error, extract(epoch FROM next_poll_at - last_polled_at)::float8 AS next
       FROM thermoworks_credentials WHERE id = $1`,
      [of(name).account],
    );
    return row;
  };

  /** One tick that finds these accounts due. @returns outcomes in the order in which the polls ended */
  const tick = async (...names: Name[]): Promise<string[]> => {
    const ids = names.map((name) => of(name).account);
    await sql(
      `UPDATE thermoworks_credentials SET next_poll_at = now() + CASE WHEN id = ANY($1) THEN '0 s' ELSE '1 day' END::interval`,
      [ids],
    );
    const [{ due }] = await sql(
      `SELECT count(*)::int AS due FROM thermoworks_credentials WHERE id = ANY($1) AND status IN ('active', 'degraded')`,
      [ids],
    );
    const ended: string[] = [];
    const { cadence, random } = ours.parts;
    const poller = createPoller({
      dataSource,
      pollOf: ({ provider }) => (provider === 'eti' ? theirs : ours).parts,
      cron: '0 0 0 1 1 *',
      cadence,
      random,
      logger: log.logger,
      onPoll: (outcome) => {
        metrics.poll(outcome);
        ended.push(outcome);
      },
    });
    poller.start();
    await waitFor(() => ended.length >= due, { timeoutMs: 25_000, everyMs: 5, what: 'the polls' });
    await poller.close();
    return ended;
  };

  return {
    cloud,
    sql,
    log,
    tick,
    rowOf,
    user: of('victim').user,
    /** Lays a fault of the control API: one of requests hits the victim only. */
    fault: (fault: object) =>
      control('faults', { ...('route' in fault && { account: cloud.account().email }), ...fault }),
    readings: (body: object) => control('readings', body),
    heal: () => cloud.request('/_control/faults', { method: 'DELETE' }),
    serial: async (index = 0) => (await cloud.devices())[index]?.id ?? '',
    /** Moves the cloud's clock. */
    pass: (seconds: number) => {
      cloud.clock.now += seconds * 1000;
    },
    /** Moves the clock of breakers. */
    wait: (seconds: number) => {
      clock.ms += seconds * 1000;
    },
    /** As after a start of the process: nothing is remembered but in rows and configuration. */
    restart: (provider: object = {}) => {
      ours.client.close();
      ours = connect(provider);
    },
    relink: () => link(ours.client, 'victim'),
    emailOf: (name: Name) => cloudAccount(name).email,
    /** Makes an access token run out. */
    expire: (name: Name) =>
      sql('UPDATE thermoworks_credentials SET expires_at = now() WHERE id = $1', [of(name).account]),
    addChannel: () =>
      sql(
        `INSERT INTO notification_channels (public_id, user_id, kind, config)
         VALUES (gen_random_uuid(), $1, 'webhook', '{}')`,
        [of('victim').user],
      ),
    stored: (name: Name) => storedRows(dataSource, of(name).user),
    /** What is to be stored of what the cloud showed. */
    served: (name: Name) => {
      const shown = cloud.simulator.ledger().filter(({ account }) => account === cloudAccount(name).email);
      // Shown only beside others when a newer one was already known.
      const isOld = (entry: LedgerEntry) =>
        entry.source === 'recent' &&
        shown.some(
          ({ device_id, probe_id, served, measured_at }) =>
            device_id === entry.device_id &&
            probe_id === entry.probe_id &&
            served < entry.served &&
            measured_at > entry.measured_at,
        );
      return shown
        .filter((entry) => !isOld(entry))
        .map(rowText)
        .sort();
    },
    /** What `work` added to the counters. */
    counted: async (work: () => Promise<unknown>): Promise<Record<string, number>> => {
      const before = await countersOf(metrics);
      await work();
      const after = [...(await countersOf(metrics))];
      const grown = after.map(([name, count]): [string, number] => [name, count - (before.get(name) ?? 0)]);
      return Object.fromEntries(grown.filter(([, count]) => count > 0));
    },
    close: async () => {
      ours.client.close();
      theirs.client.close();
      await cloud.simulator.close();
      await empty();
    },
  };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;
