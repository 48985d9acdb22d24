import pg from 'pg';
import type { PoolSettings } from './config.js';
import type { Logger } from './logger.js';

/** Connections: all there are, those in use, those at rest, and callers that wait for one. */
export interface PoolCounts {
  size: number;
  checkedOut: number;
  idle: number;
  waiting: number;
}

type Release = (error?: Error | boolean) => void;
type Connected = (error: Error | undefined, client: pg.PoolClient | undefined, release: Release) => void;

const PING_AFTER_IDLE_MS = 1_000;
const PING_TIMEOUT_MS = 2_000;
const LONG_HOLD_MS = 30_000;

/**
 * A `pg.Pool` class that says at DEBUG when a connection is taken and returned and for how long it was held, warns of
 * one held over 30 s, asks one that idled over a second for a sign of life before handing it out, and destroys one
 * whose last query got no answer instead of keeping it. (TypeORM makes the instance; hence a class.)
 */
export function createPoolClass(settings: PoolSettings, logger: Logger | undefined) {
  const instances: pg.Pool[] = [];

  class MonitoredPool extends pg.Pool {
    private readonly returnedAt = new WeakMap<pg.PoolClient, number>();

    constructor(options: pg.PoolConfig) {
      super(options);
      instances.push(this);
    }

    override connect(): Promise<pg.PoolClient>;
    override connect(callback: Connected): void;
    override connect(callback?: Connected): Promise<pg.PoolClient> | undefined {
      const taken = this.takeLive();
      if (!callback) return taken;
      taken.then(
        (client) => callback(undefined, client, client.release),
        (error) => callback(error, undefined, () => undefined),
      );
    }

    private async takeLive(): Promise<pg.PoolClient> {
      for (;;) {
        const client = await super.connect();
        if (!settings.prePing || (await this.answers(client))) return this.watch(client);
        client.release(true);
      }
    }

    private async answers(client: pg.PoolClient): Promise<boolean> {
      const idleSince = this.returnedAt.get(client);
      if (idleSince === undefined || performance.now() - idleSince < PING_AFTER_IDLE_MS) return true;
      try {
        await Promise.race([client.query('SELECT 1'), noAnswer()]);
        return true;
      } catch {
        return false;
      }
    }

    /** Measures how long the client is held and wraps its release. */
    private watch(client: pg.PoolClient): pg.PoolClient {
      const takenAt = performance.now();
      logger?.debug('connection checked out', this.counts());
      const longHold = setTimeout(
        () => logger?.warn('connection held for over 30 s', this.counts()),
        LONG_HOLD_MS,
      ).unref();
      const release = client.release;
      client.release = (error) => {
        clearTimeout(longHold);
        this.returnedAt.set(client, performance.now());
        release(error ?? hasUnansweredQuery(client));
        const heldMs = Math.round(performance.now() - takenAt);
        logger?.debug('connection checked in', { heldMs, ...this.counts() });
      };
      return client;
    }

    counts(): PoolCounts {
      const { totalCount, idleCount, waitingCount } = this;
      return { size: totalCount, checkedOut: totalCount - idleCount, idle: idleCount, waiting: waitingCount };
    }
  }

  const counts = (): PoolCounts => {
    const pool = instances.at(-1);
    if (!(pool instanceof MonitoredPool)) return { size: 0, checkedOut: 0, idle: 0, waiting: 0 };
    return pool.counts();
  };
  return { Pool: MonitoredPool, counts };
}

/** After a query timeout `pg` still waits for the answer on that socket; whoever got the client next would, too. */
function hasUnansweredQuery(client: pg.PoolClient): boolean {
  return 'readyForQuery' in client && client.readyForQuery === false;
}

function noAnswer(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('the connection did not answer')), PING_TIMEOUT_MS).unref();
  });
}
