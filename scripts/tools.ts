import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { unpackDebianPackage } from '../src/embedded/debian-package.js';
import { createLogger } from '../src/logger.js';

/** A program of another project that tests use. */
export interface Tool {
  path: string;
  /** For LD_LIBRARY_PATH, where it was unpacked. */
  libraryPath?: string;
}

interface Source {
  onMachine: string[];
  package: string;
  inPackage: string;
  mayInstall: boolean;
  /** What tests use where the tool cannot be had; else they cannot run. */
  standIn?: string;
}

const TOOLS = {
  'redis-server': {
    onMachine: ['redis-server', 'valkey-server'],
    package: 'redis-server',
    inPackage: 'usr/bin/redis-server',
    mayInstall: false,
  },
  'postgresql-15': {
    onMachine: ['/usr/lib/postgresql/15/bin/postgres'],
    package: 'postgresql-15',
    inPackage: 'usr/lib/postgresql/15/bin/postgres',
    mayInstall: false, // its installation would make and start a cluster
  },
  mosquitto: {
    onMachine: ['mosquitto', '/usr/sbin/mosquitto'],
    package: 'mosquitto',
    inPackage: 'usr/sbin/mosquitto',
    mayInstall: false, // its installation would start a broker
    standIn: 'aedes',
  },
  chromium: {
    onMachine: ['chromium', 'chromium-browser', 'google-chrome'],
    package: 'chromium',
    inPackage: 'usr/lib/chromium/chromium',
    mayInstall: true,
  },
} satisfies Record<string, Source>;

export type ToolName = keyof typeof TOOLS;

/** Where unpacked tools are kept from one checkout to the next. */
export function toolsDir(): string {
  const home = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'grill-stats');
  try {
    mkdirSync(home, { recursive: true });
    accessSync(home, constants.W_OK);
    return home;
  } catch {
    return join(import.meta.dirname, '../.cache');
  }
}

/** From the machine, else installed where that is asked for and allowed, else Debian's package in the cache. */
export async function findTool(name: ToolName): Promise<Tool | undefined> {
  const tool = TOOLS[name];
  const found = findOnMachine(tool.onMachine);
  if (found) return { path: found };
  if (tool.mayInstall && process.getuid?.() === 0 && install(tool.package)) {
    const installed = findOnMachine(tool.onMachine);
    if (installed) return { path: installed };
  }
  const logger = createLogger({ level: 'warn', format: 'pretty' });
  const unpacked = await unpackDebianPackage({ name: tool.package, cacheDir: toolsDir(), logger });
  return unpacked && { path: join(unpacked.root, tool.inPackage), libraryPath: unpacked.libraryPath };
}

/** The tool, or undefined after saying which test does not run; in CI that is an error, unless something stands in. */
export async function findToolOrSay(name: ToolName): Promise<Tool | undefined> {
  const tool = await findTool(name);
  if (tool) return tool;
  const { package: packageName, standIn }: Source = TOOLS[name];
  const line = `${standIn ? `${standIn} instead of` : 'not run:'} ${name}: install Debian's ${packageName}, or let apt-get reach its mirrors`;
  if (process.env.CI === 'true' && !standIn) throw new Error(line);
  process.stdout.write(`${line}\n`);
  return undefined;
}

function findOnMachine(names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = names.flatMap((name) =>
    name.startsWith('/') ? [name] : folders.map((folder) => join(folder, name)),
  );
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function install(name: string): boolean {
  const apt = (...args: string[]) =>
    execFileSync('apt-get', ['-qq', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=15', ...args], {
      stdio: ['ignore', 'ignore', 'ignore'],
      timeout: 300_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const attempt = () => apt('install', '-y', '--no-install-recommends', name);
  try {
    attempt();
    return true;
  } catch {
    // The package lists are missing or old.
  }
  try {
    apt('update');
    attempt();
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === import.meta.filename) {
  let missing = 0;
  for (const name of Object.keys(TOOLS).filter((key): key is ToolName => key in TOOLS)) {
    const tool = await findToolOrSay(name).catch((error: unknown) => {
      process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
      missing++;
    });
    if (tool) process.stdout.write(`${name}: ${tool.path}\n`);
  }
  process.exitCode = missing > 0 ? 1 : 0;
}
