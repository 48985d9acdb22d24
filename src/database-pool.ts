import { EventEmitter } from 'node:events';
import pg from 'pg';
import type { PoolSettings } from './config.js';
import { messageOf } from './errors.js';
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

/** Milliseconds. Arguments only so that tests need not wait. */
export interface PoolTiming {
  /** A connection that rested longer is asked for a sign of life, for so long at most. */
  pingAfterIdleMs: number;
  pingTimeoutMs: number;
  /** One held longer is worth a warning. */
  longHoldMs: number;
  /** One beyond `DB_POOL_SIZE` is closed after so much rest. */
  idleTimeoutMs: number;
  /** How much later than the server's own limit a query without any answer is given up. */
  answerGraceMs: number;
}

export const POOL_TIMING: PoolTiming = {
  pingAfterIdleMs: 1_000,
  pingTimeoutMs: 2_000,
  longHoldMs: 30_000,
  idleTimeoutMs: 10_000,
  answerGraceMs: 5_000,
};

/**
 * A `pg.Pool` class that says at DEBUG when a connection is taken and returned and for how long it was held, warns of
 * one held for long, asks one that rested for a sign of life before handing it out, and destroys one whose query got
 * no answer instead of keeping it. (TypeORM makes the instance; hence a class.)
 */
export function createPoolClass(
  settings: PoolSettings,
  logger: Logger | undefined,
  timing: PoolTiming = POOL_TIMING,
) {
  const instances: pg.Pool[] = [];

  class MonitoredPool extends pg.Pool {
    private readonly returnedAt = new WeakMap<pg.PoolClient, number>();
    /** One did not answer: whatever rested since before that is not trusted either. */
    private deadUntil = Number.NEGATIVE_INFINITY;

    constructor(options: pg.PoolConfig) {
      super(options);
      this.on('connect', guard);
      this.on('connect', endOnTimeout);
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
        const client = await super.connect().catch((error) => {
          throw this.explain(error);
        });
        if (!settings.prePing || (await this.answers(client))) return this.watch(client);
        client.release(true);
      }
    }

    private explain(error: unknown): unknown {
      if (messageOf(error) !== 'timeout exceeded when trying to connect') return error;
      const { size, checkedOut } = this.counts();
      const facts = `no connection came free within ${settings.timeoutSeconds} s (DB_POOL_TIMEOUT)`;
      const message = `${messageOf(error)}: ${facts}, ${checkedOut} of ${size} are in use`;
      return new Error(message, { cause: error });
    }

    private async answers(client: pg.PoolClient): Promise<boolean> {
      const idleSince = this.returnedAt.get(client);
      if (idleSince === undefined) return true;
      if (idleSince < this.deadUntil) return false;
      if (performance.now() - idleSince < timing.pingAfterIdleMs) return true;
      try {
        await Promise.race([client.query('SELECT 1'), noAnswer(timing.pingTimeoutMs)]);
        return true;
      } catch {
        this.deadUntil = performance.now();
        return false;
      }
    }

    /** Measures how long the client is held and wraps its release. */
    private watch(client: pg.PoolClient): pg.PoolClient {
      const takenAt = performance.now();
      logger?.debug('connection checked out', this.counts());
      const warn = () => {
        logger?.warn('connection held for long', { heldMs: timing.longHoldMs, ...this.counts() });
      };
      const longHold = setTimeout(warn, timing.longHoldMs).unref();
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

/**
 * The server may end a connection at any moment, also in the packet that opens it, before anybody who takes it could
 * listen; an error that nobody listens to would end this process. Whoever uses the connection next hears of it.
 */
function guard(client: pg.PoolClient): void {
  client.on('error', () => undefined);
}

/**
 * After a query timeout `pg` still waits for the answer on that socket, and whatever is asked next waits behind it: a
 * ROLLBACK as well as the next user's query. So the socket goes at once.
 */
function endOnTimeout(client: pg.PoolClient): void {
  const end = (error: unknown) => {
    if (messageOf(error) === 'Query read timeout' && client instanceof pg.Client) void client.end();
  };
  client.query = new Proxy(client.query, {
    apply(query, self, args) {
      const answer = Reflect.apply(query, self, args);
      if (answer instanceof Promise) answer.catch(end);
      if (answer instanceof EventEmitter) answer.once('error', end);
      return answer;
    },
  });
}

/** Returned in the middle of a query: whoever got the client next would wait for its end. (A refused one has ended.) */
function hasUnansweredQuery(client: pg.PoolClient): boolean {
  return '_activeQuery' in client && Boolean(client._activeQuery);
}

function noAnswer(timeoutMs: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('the connection did not answer')), timeoutMs).unref();
  });
}
