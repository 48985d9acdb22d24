import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { toolsDir } from '../../scripts/tools.js';
import { startRedis } from '../../src/embedded/redis.js';
import type { EmbeddedServer } from '../../src/embedded/server-process.js';
import { createLogger } from '../../src/logger.js';
import { createEnqueue } from '../../src/queues/enqueue.js';
import { redisStateFrom, redisStateOf } from '../../src/queues/redis-state.js';
import { startStage } from '../../src/worker/stage.js';
import { job, T0 } from '../ingest/household.js';
import { waitFor } from '../support/wait-for.js';
import { openTestQueues } from './queues.js';

const HOME = { userId: 1, device: 10, deviceId: 'M1', probes: [100] };
const FLAW = 'jobs die with the server: CONFIG SET appendonly yes';

describe('the state of Redis', function () {
  this.timeout(120_000);
  const dataDir = mkdtempSync(join(tmpdir(), 'grill-stats-'));
  let server: EmbeddedServer | undefined;
  let redis: Redis;
  let opened: Awaited<ReturnType<typeof openTestQueues>>;

  before(async () => {
    const logger = createLogger({ level: 'error', format: 'pretty' });
    server = await startRedis({ dataDir, toolsDir: toolsDir(), logger, settings: { appendonly: 'no' } });
    if (!server) throw new Error('no Redis');
    redis = new Redis(server.url);
    opened = await openTestQueues(server.url);
  });
  after(async () => {
    await opened?.close();
    redis?.disconnect();
    await server?.stop();
    rmSync(dataDir, { recursive: true });
  });

  it('tells of settings that lose jobs, in the log once, with what to do', async () => {
    const told = () => opened.entries.filter(({ message }) => message === 'Redis is not set up to keep jobs');
    await waitFor(() => told().length > 0);
    expect(told().map(({ flaw }) => flaw)).to.deep.equal([FLAW]);
    expect(await redisStateOf(opened.queues.readings)).to.deep.include({ limitBytes: 0, flaws: [FLAW] });
    const flaws = (policy: string, aof: number) =>
      redisStateFrom(`maxmemory_policy:${policy}\r\naof_enabled:${aof}\r\n`).flaws.length;
    expect([flaws('noeviction', 1), flaws('allkeys-lru', 1), flaws('volatile-ttl', 0)]).to.deep.equal([
      0, 1, 2,
    ]);
  });

  it('sends readings another way when it is nearly full, and gives up completed jobs', async () => {
    const { backend, queues } = opened;
    const { readings } = queues;
    const directly: number[] = [];
    const store = (minute: number) => {
      // Each asks for the state anew.
      const enqueue = createEnqueue({ queues, logger: backend.logger });
      const news = job(HOME, [[T0 + minute * 60_000, 203.2]]);
      return enqueue.readings(news, async () => void directly.push(minute));
    };
    const limit = async (share: number) => {
      const { usedBytes = 0 } = (await redisStateOf(readings)) ?? {};
      await redis.config('SET', 'maxmemory', Math.round(usedBytes / share));
    };
    const stage = startStage('readings', async () => undefined, {
      backend,
      concurrency: 1,
      logger: backend.logger,
      bury: async () => undefined,
    });
    await limit(0.5);
    await store(1);
    await waitFor(async () => (await readings.getCompletedCount()) === 1);
    await stage.close();
    expect(directly).to.deep.equal([]);
    for (const [minute, share] of [0.9, 1.1].entries()) {
      await limit(share);
      await store(minute);
    }
    expect([directly, await readings.getCompletedCount()]).to.deep.equal([[0, 1], 0]);
    await redis.config('SET', 'maxmemory', 0);
    await store(2);
    expect([directly, await readings.count()]).to.deep.equal([[0, 1], 1]);
  });
});
