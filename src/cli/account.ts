import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { EntityManager } from 'typeorm';
import { CredentialManager } from '../accounts/credential-manager.js';
import { UserManager } from '../accounts/user-manager.js';
import { DEMO_EMAIL } from '../demo.js';
import type { ThermoworksCredential } from '../entities/thermoworks-credential.js';
import { InputError } from '../errors.js';
import { type CloudClient, createCloudClient } from '../thermoworks/cloud-client.js';
import { CloudError } from '../thermoworks/cloud-error.js';
import type { ProviderName, ProviderSettings } from '../thermoworks/types.js';
import { answering, type Context, instant, type Row } from './context.js';
import { importAccount } from './import-account.js';
import { pollNow } from './poll-now.js';
import { toRow } from './text.js';

interface LinkOptions {
  email: string;
  provider: ProviderName;
  refreshTokenStdin?: true;
  thermoworksEmail?: string;
  passwordStdin?: true;
}

const COLUMNS = ['email', 'provider', 'status', 'last_polled_at', 'next_poll_at', 'last_error'];
const POLLED_COLUMNS = [
  'device_id',
  'probe_id',
  'readings',
  'first_measured_at',
  'last_measured_at',
  'state',
];

export function accountCommand(program: Command, context: Context): void {
  const account = program.command('account').description('links to the cloud that thermometers report to');
  linkCommand(account, context);
  answering(account, 'list', 'show linked accounts')
    .option('--email <e>', 'only that of this user')
    .action(async ({ email }: { email?: string }) => {
      const db = await context.manager();
      const user = email === undefined ? undefined : await new UserManager(db).getByEmail(email);
      const accounts = await new CredentialManager(db).list(user?.id);
      const live = accounts.filter((one) => one.user?.deletedAt === null);
      context.list(
        live.map((one) => view(db, one, one.user?.email)),
        COLUMNS,
      );
    });
  const forOne = (name: string, description: string, action: Action) =>
    answering(account, name, description)
      .requiredOption('--email <e>', 'of the user')
      .action(async ({ email }: { email: string }) => {
        const db = await context.manager();
        await action(db, (await new UserManager(db).getByEmail(email)).id, email);
      });
  const setPaused = (isPaused: boolean) => async (db: EntityManager, userId: number, email: string) =>
    context.show(view(db, await new CredentialManager(db).setPaused(userId, isPaused), email));
  forOne('poll', 'ask the cloud now, and show what was enqueued', async (db, userId, email) => {
    const found = await new CredentialManager(db).getOfUser(userId);
    const polled = await pollNow(context, found, clientOf(context, found.provider)).catch(explain);
    if (context.json) context.show({ id: found.publicId, email, ...polled });
    else context.list(polled.enqueued, POLLED_COLUMNS);
  });
  answering(
    account,
    'import',
    'turn the archives of its recordings into readings and sessions, a line for each',
  )
    .requiredOption('--email <e>', 'of the user')
    .option('--since <t>', 'nothing measured before (default: all that is there)', instant)
    .action(async ({ email, since = new Date(0) }: { email: string; since?: Date }) => {
      const db = await context.manager();
      const found = await new CredentialManager(db).getOfUser(
        (await new UserManager(db).getByEmail(email)).id,
      );
      await importAccount(context, found, clientOf(context, found.provider), since).catch(explain);
    });
  forOne('pause', 'stop asking the cloud', setPaused(true));
  forOne('resume', 'ask the cloud again, at once', setPaused(false));
  forOne('unlink', 'forget the tokens; devices and history stay', async (db, userId, email) => {
    await new CredentialManager(db).unlink(userId);
    context.done(`unlinked ${email}`, { email, unlinked: true });
  });
}

function linkCommand(account: Command, context: Context): void {
  const providers = ['thermoworks', 'eti', 'simulator'];
  answering(account, 'link', 'store a proven link to a cloud account, or renew it')
    .requiredOption('--email <e>', 'of the user here')
    .addOption(new Option('--provider <p>', 'whose cloud it is').choices(providers).default('thermoworks'))
    .option('--refresh-token-stdin', 'read a refresh token from stdin')
    .option('--thermoworks-email <t>', 'sign in once with this e-mail there')
    .option('--password-stdin', 'read its password from stdin; it is not kept')
    .action(async (options: LinkOptions, command: Command) => {
      const signsIn = options.thermoworksEmail !== undefined && options.passwordStdin === true;
      if (signsIn !== (options.refreshTokenStdin === true)) return link(context, options);
      command.error('error: give either --refresh-token-stdin, or --thermoworks-email and --password-stdin');
    });
}

type Action = (db: EntityManager, userId: number, email: string) => Promise<void>;

async function link(context: Context, options: LinkOptions): Promise<void> {
  const { email, provider, thermoworksEmail } = options;
  const box = context.secretBox();
  const { id: userId } = await new UserManager(await context.manager()).getByEmail(email);
  const client = clientOf(context, provider);
  const secret = await context.readSecret();
  const prove = async () => {
    const tokens = await (thermoworksEmail === undefined
      ? client.refresh(secret)
      : client.signIn(thermoworksEmail, secret));
    return { tokens, user: await client.user(tokens.accessToken, tokens.uid) };
  };
  const proof = await prove().catch(explain);
  await context.transaction(async (tx) => {
    const accounts = new CredentialManager(tx);
    await accounts.link(userId, { provider, ...proof }, box);
    await new UserManager(tx).adoptPreferences(userId, proof.user);
    if (provider !== 'simulator' && email !== DEMO_EMAIL) await pauseDemo(tx);
    context.show(view(tx, await accounts.getOfUser(userId), email));
  });
}

/** Real thermometers take the demo's place. */
async function pauseDemo(tx: EntityManager): Promise<void> {
  const demo = await new UserManager(tx).findByEmail(DEMO_EMAIL);
  const accounts = new CredentialManager(tx);
  const [account] = demo ? await accounts.list(demo.id) : [];
  if (account?.status === 'active' || account?.status === 'degraded')
    await accounts.setPaused(account.userId, true);
}

function clientOf(context: Context, name: ProviderName): CloudClient {
  const client = createCloudClient({ provider: settingsOf(context, name) });
  context.lifecycle.onClose('cloud connections', () => client.close());
  return client;
}

/** The simulator is where the running `up` says it is. @throws InputError */
function settingsOf({ config }: Context, name: ProviderName): ProviderSettings {
  const settings = config.providers[name];
  if (name !== 'simulator') return settings;
  try {
    const url = readFileSync(join(config.dataDir, 'simulator-url'), 'utf8').trim();
    return { ...settings, hosts: { firebase: url, identity: url, token: url, firestore: url, storage: url } };
  } catch (cause) {
    throw new InputError('provider simulator is only there while `grill-stats up` runs', { cause });
  }
}

const EXPLAINED: Partial<Record<CloudError['kind'], string>> = {
  dead_credential: 'the cloud refuses this refresh token: sign in there again and link with the new one',
  bad_login: 'the cloud does not know this e-mail with this password',
  no_account: 'this cloud login has no account: open it once in the ThermoWorks app',
  unsupported: 'this login cannot be used with a password: link with a refresh token',
};

function explain(error: unknown): never {
  const text = error instanceof CloudError ? EXPLAINED[error.kind] : undefined;
  throw text === undefined ? error : new InputError(text, { cause: error });
}

function view(db: EntityManager, account: ThermoworksCredential, email: string | undefined): Row {
  const { id, ...row } = toRow(db, account);
  return { id, email, ...row };
}
