import { unpackDebianPackage } from '../../src/embedded/debian-package.js';
import { startPostgres } from '../../src/embedded/postgres.js';
import { startRedis } from '../../src/embedded/redis.js';
import { openServers } from '../../src/embedded/servers.js';
import { createLogger } from '../../src/logger.js';

const [what = '', dataDir = '', toolsDir = ''] = process.argv.slice(2);
const logger = createLogger({ level: 'error', format: 'pretty' });

const actions: Record<string, () => Promise<unknown>> = {
  postgres: () => startPostgres({ dataDir, logger }),
  redis: () => startRedis({ dataDir, toolsDir, logger }),
  open: () => openServers({ dataDir, logger }),
  unpack: () => unpackDebianPackage({ name: 'redis-server', cacheDir: dataDir, logger }),
};

const answer = await actions[what]?.();
process.stdout.write(`${JSON.stringify(answer ?? null)}\n`);
if (what !== 'unpack') setInterval(() => undefined, 60_000); // holds its servers until it is killed
