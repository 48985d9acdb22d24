import { expect } from 'chai';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { createTestDatabase, testRedisUrl } from './servers.js';

describe('test servers', () => {
  it('gives each test file a database and one Redis', async () => {
    const { url, drop } = await createTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query('SHOW shared_preload_libraries');
    await client.end();
    await drop();
    const redis = new Redis(await testRedisUrl());
    expect([rows[0], await redis.ping()]).to.deep.equal([
      { shared_preload_libraries: 'pg_stat_statements' },
      'PONG',
    ]);
    await redis.quit();
  });
});
