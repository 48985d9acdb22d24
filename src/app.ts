import type { DataSource } from 'typeorm';
import { createSecretBox } from './accounts/secret-box.js';
import { startBackfill } from './backfill/start.js';
import { type Canary, createCanary } from './canary/canary.js';
import { takeNotifications, takeReadings } from './canary/stations.js';
import type { Config, KeyRingEntry, Role } from './config.js';
import { startOpsServer } from './console/ops-server.js';
import { startConsole } from './console/server.js';
import { createDatabase, type Database } from './database.js';
import { every } from './every.js';
import { createIngest, type IngestOutcome } from './ingest/ingest.js';
import { Lifecycle } from './lifecycle.js';
import type { Logger } from './logger.js';
import { createMetrics, type Metrics } from './metrics.js';
import { createLinkSigner } from './notifications/action-link.js';
import { createChannels } from './notifications/channels.js';
import { createChartReader } from './notifications/chart.js';
import { createHomeAssistant } from './notifications/home-assistant.js';
import { createMqttTransport, type MqttTransport } from './notifications/mqtt-transport.js';
import { NotificationManager } from './notifications/notification-manager.js';
import { createOutbound } from './notifications/outbound.js';
import { createCloudClients } from './poller/cloud-clients.js';
import { createAccountPoller } from './poller/create-account-poller.js';
import { createInUseReport } from './poller/in-use.js';
import { openQueues, type QueueBackend, type Queues } from './queues/backend.js';
import { bury, sweepFailedJobs } from './queues/dead-letters.js';
import { createEnqueue } from './queues/enqueue.js';
import { awaitMigrations, connectWhenThere } from './schema-state.js';
import { createBatcher } from './worker/batcher.js';
import { createDeliverer, type Delivery } from './worker/deliver.js';
import { createMaintenance, createTimers, storedUntil } from './worker/maintenance.js';
import { startStage } from './worker/stage.js';

/** What a running process must be told beyond its configuration. */
export interface AppOptions {
  config: Config & { databaseUrl: string; credentialsKeys: KeyRingEntry[] };
  roles: readonly Role[];
  backend: QueueBackend;
  logger: Logger;
  /** Ends the wait for a database or migrations that are not there. */
  signal: AbortSignal;
  onCommit?: (outcome: IngestOutcome) => void;
  onDelivery?: (delivery: Delivery) => void;
}

export interface App {
  database: Database;
  queues: Queues;
  metrics: Metrics;
  /** Of the console, where that role runs. */
  consoleUrl?: string;
  lifecycle: Lifecycle;
}

/** What the roles of one process share. */
interface Parts extends AppOptions {
  database: Database;
  dataSource: DataSource;
  queues: Queues;
  metrics: Metrics;
  canary: Canary;
  lifecycle: Lifecycle;
  isReady: () => boolean;
}

const INGEST_CONCURRENCY = 8_000;
const DELIVERIES_AT_ONCE = 8;
const RELAY_AT_ONCE = 100;
/** A cloud that hangs must not use up the time that the other parts have to close. */
const LET_POLLS_FINISH_MS = 8_000;

/** Builds and starts the named roles, in the order of dependence; closed in reverse. */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, logger, backend, roles, signal } = options;
  const lifecycle = new Lifecycle();
  let ready = false;
  try {
    const database = createDatabase({ url: config.databaseUrl, pool: config.pool, logger });
    const { dataSource } = database;
    lifecycle.onClose('database', () => dataSource.isInitialized && dataSource.destroy());
    const { queues, close } = await openQueues(backend);
    lifecycle.onClose('queues', close);
    const metrics = createMetrics();
    const parts: Parts = {
      ...options,
      database,
      dataSource,
      queues,
      metrics,
      canary: createCanary({ dataSource, ...config.canary, logger, onCanary: metrics.canary }),
      lifecycle,
      isReady: () => ready,
    };
    await startOps(parts);

    await connectWhenThere(dataSource, logger, signal);
    await awaitMigrations(dataSource, logger, signal);
    // In the order of the data's way backwards: who takes is there before who gives.
    if (roles.includes('notifier')) startNotifier(parts);
    if (roles.includes('worker')) startWorker(parts);
    const consoleUrl = roles.includes('console') ? await startConsoleRole(parts) : undefined;
    if (roles.includes('poller')) startPoller(parts);
    ready = true;
    lifecycle.onClose('readiness', () => {
      ready = false;
    });
    logger.info('started', { roles });
    return { database, queues, metrics, consoleUrl, lifecycle };
  } catch (error) {
    await lifecycle.close().catch((err) => logger.error('clean-up after a failed start failed', { err }));
    throw error;
  }
}

async function startOps({ config, database, lifecycle, ...parts }: Parts): Promise<void> {
  const { host, port } = config.ops;
  if (port === undefined) return;
  const server = await startOpsServer({ ...parts, pool: database.pool, config: { host, port } });
  lifecycle.onClose('health and metrics', () => server.close());
}

async function startConsoleRole({ config, database, lifecycle, ...parts }: Parts): Promise<string> {
  const { host, port, publicUrl, consoleToken } = config.http;
  if (consoleToken === undefined) throw new Error('CONSOLE_TOKEN is missing');
  const server = await startConsole({
    ...parts,
    pool: database.pool,
    config: { host, port, publicUrl, token: consoleToken },
    links: createLinkSigner(config.credentialsKeys),
  });
  lifecycle.onClose('console', () => server.close());
  return server.url;
}

/** The broker's connection, if one is configured, and what Home Assistant is told over it. */
function startMqtt(parts: Parts): MqttTransport | undefined {
  const { config, dataSource, lifecycle } = parts;
  if (config.mqttUrl === undefined) return undefined;
  const transport = createMqttTransport({ url: config.mqttUrl, announces: true });
  lifecycle.onClose('mqtt', transport.close);
  const tell = createHomeAssistant({ db: dataSource.manager, transport });
  every('*/5 * * * * *', 'home assistant', tell, parts);
  return transport;
}

function startNotifier(parts: Parts): void {
  const { config, dataSource, queues, backend, logger, metrics, lifecycle, onDelivery } = parts;
  const enqueue = createEnqueue({ queues, logger });
  const mqtt = startMqtt(parts);
  const deliver = createDeliverer({
    dataSource,
    channels: createChannels({ smtp: config.smtp, mqtt, readChart: createChartReader(dataSource.manager) }),
    secretBox: createSecretBox(config.credentialsKeys),
    outbound: createOutbound({ allowPrivate: config.allowPrivateWebhooks ?? false }),
    publicUrl: config.http.publicUrl,
    links: createLinkSigner(config.credentialsKeys),
    onDelivery: (delivery) => {
      metrics.delivery(delivery.kind, delivery.outcome);
      onDelivery?.(delivery);
    },
  });
  const stage = startStage(
    'notifications',
    takeNotifications(parts, async ({ notificationId }) => {
      const next = await deliver(notificationId);
      if (next) await enqueue.notification(next.id, { delayMs: next.inMs });
    }),
    { backend, concurrency: DELIVERIES_AT_ONCE, logger, bury: bury(dataSource) },
  );
  lifecycle.onClose('notification jobs', stage.close);
  const notifications = new NotificationManager(dataSource.manager);
  every(
    '*/2 * * * * *',
    'relay',
    async () => enqueue.notifications(await notifications.dueIds(RELAY_AT_ONCE)),
    parts,
  );
}

function createCommitted({ queues, logger, metrics, lifecycle, onCommit }: Parts) {
  const enqueue = createEnqueue({ queues, logger });
  const sending = new Set<Promise<void>>();
  lifecycle.onClose('jobs of the last commits', () => Promise.all(sending));
  /** After each commit, whichever way the readings came: figures, and a job for each notification. */
  return (outcome: IngestOutcome): void => {
    metrics.readingsStored(outcome.stored.length);
    if (outcome.conflicts > 0) metrics.readingsRejected('conflict', outcome.conflicts);
    if (outcome.unknownProbe > 0) metrics.readingsRejected('owner', outcome.unknownProbe);
    for (const { type, kind } of outcome.transitions) metrics.alertEvent(type, kind);
    const sent = enqueue.notifications(outcome.notificationIds).finally(() => sending.delete(sent));
    sending.add(sent);
    onCommit?.(outcome);
  };
}

function startWorker(parts: Parts): void {
  const { dataSource, queues, backend, logger, metrics, lifecycle } = parts;
  const committed = createCommitted(parts);
  const ingest = createIngest({ dataSource });
  const batcher = createBatcher({
    ingest,
    onCommit: (outcome, figures) => {
      metrics.ingestBatch(figures);
      committed(outcome);
    },
  });
  const shared = { backend, logger, bury: bury(dataSource) };
  const enqueue = createEnqueue({ queues, logger });
  const readings = startStage('readings', takeReadings({ ...parts, enqueue, batcher }), {
    ...shared,
    concurrency: INGEST_CONCURRENCY,
  });
  lifecycle.onClose('reading jobs', readings.close);
  const maintain = createMaintenance({ ...parts, ...parts.config, now: () => new Date() });
  const maintenance = startStage('maintenance', maintain, { ...shared, concurrency: 1 });
  lifecycle.onClose('maintenance jobs', maintenance.close);
  const until = () => storedUntil(queues);
  const timers = createTimers({ dataSource, ingest, until, onCommit: committed });
  every('*/5 * * * * *', 'session timers', timers, parts);
  every('30 * * * * *', 'dead letters', () => sweepFailedJobs({ queues, dataSource }), parts);
  every('0 7 * * * *', 'maintenance', () => enqueue.maintenance(new Date()), parts);
  void enqueue.maintenance(new Date());
  parts.canary.start(enqueue, lifecycle);
}

function startPoller(parts: Parts): void {
  const { config, dataSource, queues, logger, metrics, lifecycle } = parts;
  const clients = createCloudClients(config.providers, metrics.cloudRequest);
  lifecycle.onClose('cloud connections', clients.close);
  const poller = createAccountPoller({
    dataSource,
    queues,
    box: createSecretBox(config.credentialsKeys),
    clientOf: clients.of,
    ending: clients.ending,
    poll: config.poll,
    logger,
    onCommit: createCommitted(parts),
    onInUse: createInUseReport(logger),
    onRejected: metrics.readingsRejected,
    onPoll: metrics.poll,
    onRefresh: metrics.tokenRefresh,
  });
  lifecycle.onClose('polls', async () => {
    const tooLong = setTimeout(clients.abort, LET_POLLS_FINISH_MS);
    await poller.close().finally(() => clearTimeout(tooLong));
  });
  startBackfill({ ...parts, clients });
  poller.start();
}
