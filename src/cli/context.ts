import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { DataSource, EntityManager } from 'typeorm';
import { validate } from 'uuid';
import { z } from 'zod';
import { createSecretBox, type SecretBox } from '../accounts/secret-box.js';
import { type Config, ConfigError, type KeyRingEntry, loadConfig } from '../config.js';
import { createDatabase } from '../database.js';
import { loadOrCreateSecrets } from '../embedded/data-dir.js';
import { type OpenServers, openServers } from '../embedded/servers.js';
import { InputError } from '../errors.js';
import { Lifecycle } from '../lifecycle.js';
import { createLogger, type Logger } from '../logger.js';
import { migrateUp } from '../migrate.js';
import { openQueues, type Queues } from '../queues/backend.js';
import { chooseBackend } from '../queues/choose-backend.js';
import { appliedMigrations } from '../schema-state.js';
import { fields, table } from './text.js';

/** Where a command reads and writes; `process` is one. */
export interface Streams {
  stdin: AsyncIterable<string | Uint8Array>;
  stdout: {
    write(text: string): unknown;
    once?(event: 'drain', listener: () => void): unknown;
    isTTY?: boolean;
  };
  stderr: { write(text: string): unknown; isTTY?: boolean };
}

export type Row = Record<string, unknown>;

/** What commands share: configuration, servers that are opened when first asked for, and how to answer. */
export class Context {
  exitCode = 0;
  /** Whether the command that runs was asked for JSON. */
  json = false;
  /** What went wrong is told by the command's own last line. */
  readonly logger: Logger;
  readonly lifecycle = new Lifecycle();
  private connected?: Promise<DataSource>;
  private openedQueues?: ReturnType<typeof openQueues>;

  constructor(
    readonly config: Config,
    private readonly streams: Streams,
  ) {
    const { level, format } = config.log;
    this.logger = createLogger({ level: level === 'debug' ? level : 'error', format });
  }

  /** Whether people read the answer as it is written. */
  get isTerminal(): boolean {
    return this.streams.stdout.isTTY === true;
  }

  /** The database with the schema that this program knows. @throws InputError while migrations are pending */
  async database(): Promise<DataSource> {
    const dataSource = await this.connect();
    const applied = await appliedMigrations(dataSource);
    if (applied.length >= dataSource.migrations.length) return dataSource;
    throw new InputError('the database has pending migrations: run `grill-stats migrate up`');
  }

  async manager(): Promise<EntityManager> {
    return (await this.database()).manager;
  }

  async transaction<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return (await this.database()).transaction(work);
  }

  /** The database as it is; an embedded one is migrated first. */
  connect(): Promise<DataSource> {
    this.connected ??= this.openDatabase();
    return this.connected;
  }

  private async openDatabase(): Promise<DataSource> {
    const url = await this.databaseUrl();
    const { pool } = this.config;
    if (this.config.databaseUrl === undefined) await migrateUp({ url, pool });
    const { dataSource } = createDatabase({
      url,
      pool,
      logger: this.logger,
      applicationName: 'grill-stats cli',
    });
    await dataSource.initialize();
    this.lifecycle.onClose('database', () => dataSource.destroy());
    return dataSource;
  }

  /** Of the configured server, else of the embedded one, which then runs. */
  async databaseUrl(): Promise<string> {
    return this.config.databaseUrl ?? (await this.servers({ redis: false })).databaseUrl;
  }

  async redisUrl(): Promise<string | undefined> {
    return this.config.redisUrl ?? (await this.servers({ redis: true })).redisUrl;
  }

  private async servers({ redis }: { redis: boolean }): Promise<OpenServers> {
    const servers = await openServers({ dataDir: this.config.dataDir, logger: this.logger, redis });
    this.lifecycle.onClose('servers', () => servers.close());
    return servers;
  }

  /** Also where their server is down: what they would hold can go another way. */
  async queues(): Promise<Queues> {
    this.openedQueues ??= this.openQueues();
    return (await this.openedQueues).queues;
  }

  /** @throws InputError when their server does not answer */
  async queuesThere(): Promise<Queues> {
    this.openedQueues ??= this.openQueues();
    const { queues, isThere } = await this.openedQueues;
    if (isThere()) return queues;
    throw new InputError('the queue does not answer: start its Redis, or check REDIS_URL');
  }

  private async openQueues(): ReturnType<typeof openQueues> {
    const { config, logger } = this;
    const [databaseUrl, redisUrl] = [await this.databaseUrl(), await this.redisUrl()];
    const { backend, close } = await chooseBackend({ ...config, databaseUrl, redisUrl, logger });
    this.lifecycle.onClose('queue backend', close);
    const opened = await openQueues(backend);
    this.lifecycle.onClose('queues', opened.close);
    return opened;
  }

  /** With {@link keyRing}. @throws ConfigError */
  secretBox(): SecretBox {
    return createSecretBox(this.keyRing());
  }

  /** The configured keys, or those that `up` keeps in DATA_DIR. @throws ConfigError */
  keyRing(): readonly KeyRingEntry[] {
    const { credentialsKeys, databaseUrl, dataDir } = this.config;
    if (credentialsKeys) return credentialsKeys;
    // Keys that the service on that database does not have would make secrets that nobody can read.
    if (databaseUrl !== undefined && !existsSync(join(dataDir, 'credentials-keys')))
      throw new ConfigError('CREDENTIALS_KEYS is missing: set it to the keys that the service uses');
    const kept = loadConfig({ CREDENTIALS_KEYS: loadOrCreateSecrets(dataDir).credentialsKeys });
    return kept.credentialsKeys ?? [];
  }

  /** All of stdin without its last line break. @throws InputError when there is none */
  async readSecret(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.streams.stdin) chunks.push(Buffer.from(chunk));
    const secret = Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '');
    if (secret === '') throw new InputError('no secret came on stdin');
    return secret;
  }

  /** One object. */
  show(row: Row): void {
    this.write(this.json ? JSON.stringify(row) : fields(row));
  }

  /** An array; as text a table of these columns. */
  list(rows: readonly Row[], columns: readonly string[]): void {
    this.write(this.json ? JSON.stringify(rows) : table(rows, columns));
  }

  /** The answer of a command that has nothing to show. */
  done(text: string, row: Row): void {
    this.write(this.json ? JSON.stringify(row) : text);
  }

  /** Text that is made as it is read: no further than the reader has come. */
  async stream(parts: AsyncIterable<string>): Promise<void> {
    const { stdout } = this.streams;
    for await (const part of parts) {
      if (stdout.write(part) !== false) continue;
      await new Promise<void>((resolve) => (stdout.once ? stdout.once('drain', resolve) : resolve()));
    }
  }

  fail(text: string): void {
    this.streams.stderr.write(`grill-stats: ${text}\n`);
  }

  private write(text: string): void {
    this.streams.stdout.write(`${text}\n`);
  }
}

const instantText = z.iso.datetime({ offset: true });

/** Parses an option: ISO 8601 with its offset. */
export function instant(text: string): Date {
  if (instantText.safeParse(text).success) return new Date(text);
  throw new InvalidArgumentError('Must be ISO 8601 with an offset, such as 2026-11-21T18:00:00Z.');
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
  };
}

export function publicId(text: string): string {
  if (validate(text)) return text;
  throw new InvalidArgumentError('Must be an id as list shows it.');
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** A command that answers, as text or JSON. */
export function answering(parent: Command, usage: string, description: string): Command {
  return parent.command(usage).description(description).option('--json', 'answer with JSON');
}
