import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { at, type Cloud } from '../simulator/cloud.js';
import type { World } from './world.js';

/** What was written where. */
type Place = readonly [name: string, text: string];

/**
 * Neither in what our processes wrote and told of themselves, nor in any row or key of their servers, nor in what
 * receivers got.
 */
export async function secretsAreNowhere(world: World): Promise<void> {
  expect(world.secrets.every((secret) => secret.length >= 10)).to.equal(true);
  const needles = world.secrets.flatMap((secret) => [secret, asBytes(secret)]);
  const places = [...(await ofProcesses(world)), ...(await ofRedis(world.redis.url)), ...ofReceiver(world)];
  for (const [place, text] of places) holdsNone(place, text, needles);
  // One by one: the readings of a long run need not be here all at once with the rest.
  for (const table of await tablesOf(world.db)) {
    const rows: { text: string }[] = await world.db.query(`SELECT t::text AS text FROM ${table} t`);
    holdsNone(`table ${table}`, rows.map(({ text }) => text).join('\n'), needles);
  }
}

/** As PostgreSQL writes a `bytea`. */
const asBytes = (secret: string) => Buffer.from(secret).toString('hex');

function holdsNone(place: string, text: string, needles: readonly string[]): void {
  for (const needle of needles)
    expect(text.includes(needle), `a secret (${needle.slice(0, 4)}…) in ${place}`).to.equal(false);
}

async function ofProcesses({ processes }: World): Promise<Place[]> {
  const places: Place[] = processes.map((one) => [one.name, one.output()]);
  for (const one of processes)
    for (const path of ['/metrics', '/health'])
      places.push([`${one.name} ${path}`, (await one.get(path)).text]);
  return places;
}

const ofReceiver = ({ receiver }: World): Place[] =>
  receiver.received.map(({ path, body }) => [`what came to ${path}`, body]);

/** Of partitions their parents tell. */
async function tablesOf(db: DataSource): Promise<string[]> {
  const rows: { name: string }[] = await db.query(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`,
  );
  const names = rows.map(({ name }) => name);
  expect(names).to.include.members(['public.readings', 'public.thermoworks_credentials']);
  return names;
}

async function ofRedis(url: string): Promise<Place[]> {
  const redis = new Redis(url);
  try {
    const places: Place[] = [];
    for (const key of await redis.keys('*'))
      places.push([key, `${key} ${JSON.stringify(await all(redis, key))}`]);
    return places;
  } finally {
    redis.disconnect();
  }
}

/** All that a key holds, whichever its kind. */
async function all(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'string') return redis.get(key);
  if (type === 'list') return redis.lrange(key, 0, -1);
  if (type === 'set') return redis.smembers(key);
  if (type === 'zset') return redis.zrange(key, 0, -1);
  if (type === 'hash') return redis.hgetall(key);
  if (type === 'stream') return redis.xrange(key, '-', '+');
  // It ran out, or was taken, since it was listed.
  expect(type, `kind of ${key}`).to.equal('none');
  return undefined;
}

/** What every access token of an account begins with, whenever it was issued: all but its times. */
export async function accessTokenOf(cloud: Cloud, index: number): Promise<string> {
  const { json } = await cloud.refresh(cloud.account(index).refresh_token);
  const [head = '', claims = ''] = String(at(json, 'access_token')).split('.');
  const timesAt = Buffer.from(claims, 'base64url').toString().indexOf('"iat"');
  expect(timesAt, 'place of the times').to.be.above(0);
  return `${head}.${claims.slice(0, Math.floor(timesAt / 3) * 4)}`;
}
