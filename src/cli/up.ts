import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createSecretBox } from '../accounts/secret-box.js';
import { type App, startApp } from '../app.js';
import { type Config, type KeyRingEntry, loadConfig } from '../config.js';
import {
  createDemoAlert,
  createDemoChannel,
  DEMO_EMAIL,
  DEMO_PROBE,
  prepareDemo,
  startReceiver,
} from '../demo.js';
import { claimDataDir, loadOrCreateSecrets } from '../embedded/data-dir.js';
import { openServers } from '../embedded/servers.js';
import { Lifecycle } from '../lifecycle.js';
import { createLogger, type Logger } from '../logger.js';
import { runProcess } from '../main.js';
import { migrateUp } from '../migrate.js';
import { createOutbound } from '../notifications/outbound.js';
import { chooseBackend } from '../queues/choose-backend.js';
import { startSimulator } from '../simulator/simulator.js';
import { createCloudClient } from '../thermoworks/cloud-client.js';
import { createTicker, type Line } from '../ticker.js';
import type { Context } from './context.js';

/** `grill-stats up`: everything in one process, with servers of its own where none are named, and the demo. */
export function upCommand(program: Command, context: Context): void {
  const { config } = context;
  program
    .command('up')
    .description('start what is missing, migrate, run every role and the demo in one process')
    .option('--json', 'one JSON object a line')
    .action(async ({ json }: { json?: true }) => {
      const logger = createLogger(json ? { ...config.log, format: 'json' } : config.log);
      const print = (line: Line) => {
        process.stdout.write(`${json ? JSON.stringify(line.json) : line.text}\n`);
      };
      context.exitCode = await runProcess((signal) => up({ config, logger, print, signal }), logger);
    });
}

interface UpOptions {
  config: Config;
  logger: Logger;
  print: (line: Line) => void;
  signal: AbortSignal;
}

async function up({ config, logger, print, signal }: UpOptions): Promise<{ lifecycle: Lifecycle }> {
  const lifecycle = new Lifecycle();
  try {
    const claim = claimDataDir(config.dataDir);
    lifecycle.onClose('data directory', () => claim.release());
    const complete = await withServers(config, logger, lifecycle);
    await migrateUp({ url: complete.databaseUrl, pool: config.pool, logger });
    const simulator = await startSimulator({
      accounts: 1,
      devices: 4,
      seed: 1,
      speed: 1,
      demo: true,
      keepLedger: false,
    });
    lifecycle.onClose('simulator', () => simulator.close());
    publishSimulator(complete, simulator.url, lifecycle);
    const receiver = await startReceiver((verified, text) =>
      print({
        text: `${verified ? 'webhook delivered and verified' : 'webhook refused'}: ${text}`,
        json: { event: 'webhook', verified, text },
      }),
    );
    lifecycle.onClose('webhook receiver', () => receiver.close());

    const { backend, close } = await chooseBackend({ ...complete, logger });
    lifecycle.onClose('queue backend', close);
    const ticker = createTicker(print, logger);
    const app = await startApp({
      config: complete,
      roles: config.roles,
      backend,
      logger,
      signal,
      ...ticker.hooks,
    });
    lifecycle.onClose('roles', () => app.lifecycle.close());
    ticker.start(app.database.dataSource);
    if (app.consoleUrl) claim.setAddress(app.consoleUrl);
    const hasDemo = await startDemo({
      app,
      config: complete,
      refreshToken: simulator.accounts[0]?.refresh_token ?? '',
      receiver,
      ticker,
      logger,
    });
    greet(app, complete, hasDemo, print);
    return { lifecycle };
  } catch (error) {
    await lifecycle.close().catch((err) => logger.error('clean-up after a failed start failed', { err }));
    throw error;
  }
}

type CompleteConfig = Config & { databaseUrl: string; credentialsKeys: KeyRingEntry[] };

/** What is not named is started, or generated and kept in DATA_DIR. */
async function withServers(config: Config, logger: Logger, lifecycle: Lifecycle): Promise<CompleteConfig> {
  const secrets = loadOrCreateSecrets(config.dataDir);
  const generated = loadConfig({ CREDENTIALS_KEYS: secrets.credentialsKeys }).credentialsKeys ?? [];
  const needed = { redis: config.redisUrl === undefined };
  const servers =
    config.databaseUrl === undefined || needed.redis
      ? await openServers({ dataDir: config.dataDir, logger, ...needed })
      : undefined;
  if (servers) lifecycle.onClose('servers', () => servers.close());
  return {
    ...config,
    databaseUrl: config.databaseUrl ?? servers?.databaseUrl ?? '',
    redisUrl: config.redisUrl ?? servers?.redisUrl,
    credentialsKeys: config.credentialsKeys ?? generated,
    http: { ...config.http, consoleToken: config.http.consoleToken ?? secrets.consoleToken },
    allowPrivateWebhooks: config.allowPrivateWebhooks ?? true,
  };
}

/** Gives provider `simulator` its hosts, and other commands on this DATA_DIR the way there. */
function publishSimulator(config: Config, url: string, lifecycle: Lifecycle): void {
  const hosts = { firebase: url, identity: url, token: url, firestore: url, storage: url };
  Object.assign(config, {
    providers: { ...config.providers, simulator: { ...config.providers.simulator, hosts } },
  });
  const file = join(config.dataDir, 'simulator-url');
  writeFileSync(file, `${url}\n`);
  lifecycle.onClose('simulator address', () => rmSync(file, { force: true }));
}

async function startDemo({
  app,
  config,
  refreshToken,
  receiver,
  ticker,
  logger,
}: {
  app: App;
  config: CompleteConfig;
  refreshToken: string;
  receiver: Awaited<ReturnType<typeof startReceiver>>;
  ticker: ReturnType<typeof createTicker>;
  logger: Logger;
}): Promise<boolean> {
  const made = join(config.dataDir, 'demo-made');
  const client = createCloudClient({ provider: config.providers.simulator });
  app.lifecycle.onClose('demo', () => client.close());
  const parts = {
    dataSource: app.database.dataSource,
    box: createSecretBox(config.credentialsKeys),
    outbound: createOutbound({ allowPrivate: true }),
    client,
    refreshToken,
  };
  const user = await prepareDemo(parts, { isFirst: !existsSync(made) });
  writeFileSync(made, `${DEMO_EMAIL}\n`);
  if (user === undefined) return false;
  await createDemoChannel(parts, user, receiver);
  ticker.onceStored(
    ({ probeId, userId }) => probeId === DEMO_PROBE && userId === user,
    ({ deviceId }) =>
      createDemoAlert(parts.dataSource, user, deviceId).catch((err) =>
        logger.error('the demo has no alert', { err }),
      ),
  );
  return true;
}

function greet(app: App, config: CompleteConfig, hasDemo: boolean, print: (line: Line) => void): void {
  const { consoleUrl: url } = app;
  const token = join(config.dataDir, 'console-token');
  print({
    text: [
      url ? `Grill Stats is up: ${url} (user operator, password: the text in ${token})` : 'Grill Stats is up',
      'Link your own: npx grill-stats user create --email YOU, then npx grill-stats account link --email YOU --thermoworks-email … --password-stdin',
      ...(hasDemo
        ? [`Remove the demo: npx grill-stats user delete --email ${DEMO_EMAIL} --purge`]
        : ['The demo is off']),
    ].join('\n'),
    json: { event: 'up', url: url ?? null, console_token_file: token },
  });
}
