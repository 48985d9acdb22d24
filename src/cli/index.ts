import { Command, CommanderError } from 'commander';
import { DeviceManager } from '../accounts/device-manager.js';
import { ConfigError, loadConfig } from '../config.js';
import { InputError, NotFoundError } from '../errors.js';
import { accountCommand } from './account.js';
import { alertCommand } from './alert.js';
import { channelCommand } from './channel.js';
import { Context, type Streams } from './context.js';
import { deviceCommand, readingCommand } from './device.js';
import { doctorCommand } from './doctor.js';
import { gapCommand } from './history.js';
import { migrateCommand } from './migrate.js';
import { notificationCommand } from './notification.js';
import { queueCommand } from './queue.js';
import { replayCommand } from './replay.js';
import { runCommand } from './run.js';
import { sessionCommand } from './session.js';
import { simulatorCommand } from './simulator.js';
import { upCommand } from './up.js';
import { userCommand } from './user.js';

const COMMANDS = [
  upCommand,
  runCommand,
  migrateCommand,
  userCommand,
  accountCommand,
  deviceCommand,
  readingCommand,
  gapCommand,
  alertCommand,
  channelCommand,
  notificationCommand,
  sessionCommand,
  queueCommand,
  replayCommand,
  doctorCommand,
  simulatorCommand,
];

/**
 * Runs one command.
 * @param argv what follows the program's name
 * @returns 0; 1 after a failure and 2 after wrong usage, with one line on stderr
 */
export async function runCli(
  argv: string[],
  env: NodeJS.ProcessEnv,
  streams: Streams = process,
): Promise<number> {
  let context: Context | undefined;
  try {
    context = new Context(loadConfig(env, { terminal: streams.stderr.isTTY }), streams);
    await createProgram(context, streams).parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    streams.stderr.write(`grill-stats: ${lineOf(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  } finally {
    await context?.lifecycle.close().catch((err) => context?.logger.warn('closing failed', { err }));
  }
}

function createProgram(context: Context, { stdout, stderr }: Streams): Command {
  const program = new Command('grill-stats')
    .description('Watches ThermoWorks thermometers: readings, cook sessions, alerts')
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .hook('preAction', async (_, command) => {
      const {
        json = false,
        device,
        email,
      } = command.opts<{ json?: true; device?: string; email?: string }>();
      context.json = json;
      if (device === undefined) return;
      const devices = new DeviceManager(await context.manager());
      command.setOptionValue('device', await devices.serialOf(device, email));
    });
  for (const register of COMMANDS) register(program, context);
  return program;
}

/** The error, and what caused it where it was not foreseen, in one line. */
function lineOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof InputError || error instanceof NotFoundError) return error.message;
  const [first] = error instanceof AggregateError ? error.errors : [];
  const causes = [error.message || lineOf(first), error.cause === undefined ? '' : lineOf(error.cause)];
  return [...new Set(causes.filter((text) => text !== ''))].join(': ').replaceAll(/\s*\n\s*/g, ' ');
}
