import type { Command } from 'commander';
import { startApp } from '../app.js';
import { type Config, ConfigError, ROLES, type Role } from '../config.js';
import { createLogger } from '../logger.js';
import { runProcess } from '../main.js';
import { chooseBackend } from '../queues/choose-backend.js';
import type { Context } from './context.js';

/** `grill-stats run`: the named roles of production, on servers that are there. */
export function runCommand(program: Command, context: Context): void {
  const { config } = context;
  program
    .command('run')
    .description('run the named roles against DATABASE_URL and REDIS_URL')
    .option('--roles <list>', `comma separated: ${ROLES.join(', ')} (default: ROLES, else all)`)
    .option('--json', 'log as JSON lines')
    .action(async ({ roles, json }: { roles?: string; json?: true }) => {
      const wanted = roles === undefined ? config.roles : parseRoles(roles);
      const given = complete(config, wanted);
      const logger = createLogger(json ? { ...config.log, format: 'json' } : config.log);
      context.exitCode = await runProcess(async (signal) => {
        const { backend } = await chooseBackend({ ...given, logger });
        return startApp({ config: given, roles: wanted, backend, logger, signal });
      }, logger);
    });
}

function parseRoles(list: string): Role[] {
  const names = list.split(',').map((name) => name.trim());
  const known = ROLES.filter((role) => names.includes(role));
  if (known.length === new Set(names).size) return known;
  throw new ConfigError(`--roles must be one or more of ${ROLES.join(', ')}, comma separated`);
}

/** Production makes nothing up. @throws ConfigError naming everything that is missing */
function complete(config: Config, roles: readonly Role[]) {
  const { databaseUrl, redisUrl, credentialsKeys } = config;
  const missing = [
    databaseUrl === undefined && 'DATABASE_URL',
    redisUrl === undefined && 'REDIS_URL',
    credentialsKeys === undefined && 'CREDENTIALS_KEYS',
    roles.includes('console') && config.http.consoleToken === undefined && 'CONSOLE_TOKEN',
  ].filter((name) => name !== false);
  if (
    databaseUrl === undefined ||
    redisUrl === undefined ||
    credentialsKeys === undefined ||
    missing.length > 0
  ) {
    throw new ConfigError(
      `run needs ${missing.join(', ')}: set ${missing.length > 1 ? 'them' : 'it'}, or use \`grill-stats up\``,
    );
  }
  return { ...config, databaseUrl, redisUrl, credentialsKeys };
}
