import type { PoolSettings } from '../../src/config.js';

/** A small pool for tests, with every guard of the real one. */
export const TEST_POOL: PoolSettings = {
  size: 1,
  maxOverflow: 4,
  recycleSeconds: 3600,
  prePing: true,
  timeoutSeconds: 10,
  statementTimeoutMs: 30_000,
  logQueries: false,
};
