import { expect } from 'chai';
import { Redis } from 'ioredis';
import type { DataSource } from 'typeorm';
import { FLAG, UNTRUSTED, type Unit } from '../../src/readings/sample.js';
import { plainStats } from '../ingest/plain-roll-up.js';
import { rowText, storedRows } from '../poller/kitchen.js';
import { waitFor } from '../support/wait-for.js';
import { eventsArrivedInOrder } from './order.js';
import type { World } from './world.js';

/** A notifier sends at most 8 at once: what a kill can make a receiver get twice. */
const SENDER_CONCURRENCY = 8;
const DRAIN_MS = 120_000;

/** What all promises come to, after everything has come to rest. */
export interface Verdict {
  readings: number;
  /** Shown by the cloud and neither stored nor still shown: only where the queue itself was wiped. */
  lost: number;
  sessions: number;
  events: number;
  /** Copies of a notification beyond the first that receivers got. */
  duplicates: number;
}

/**
 * Lets everything drain and checks it: stored = shown, row by row; roll-ups = recomputation; unbroken versions of every
 * alert; every event at its receiver, in order; no failed job without a dead letter; no secret anywhere; no process that
 * ended by itself.
 * @param mayLose readings that were queued only, when the queue was wiped: each must then lie in a recorded gap
 * @param retried receivers that failed on purpose get a notification more than once
 */
export async function verdict(
  world: World,
  { mayLose = false, retried = false }: { mayLose?: boolean; retried?: boolean } = {},
): Promise<Verdict> {
  await world.swings.pause();
  await world.cloud.post('/_control/clock', { speed: 0 });
  for (const one of world.processes) await one.ready();
  const lost = await readingsAreStored(world, mayLose);
  await nothingIsLeft(world);
  const events = await eventsAreWhole(world);
  const duplicates = await eventsWereDelivered(world);
  await eventsArrivedInOrder(world);
  if (retried) world.forgiven = duplicates;
  const ours = duplicates - world.forgiven;
  expect(ours, 'duplicates, at most kills × 8').to.be.at.most(world.kills * SENDER_CONCURRENCY);
  const sessions = await rollUpsAreExact(world.db);
  await secretsAreNowhere(world);
  for (const one of world.processes)
    expect(one.crashes, `${one.name} ended by itself:\n${one.output().slice(-3000)}`).to.equal(0);
  const inactive = "SELECT DISTINCT status FROM thermoworks_credentials WHERE status <> 'active'";
  await waitFor(async () => (await world.db.query(inactive)).length === 0, {
    timeoutMs: DRAIN_MS,
    what: 'every account to be active again',
  });
  const { readings } = await count(world.db);
  return { readings, lost, sessions, events, duplicates };
}

/** Lets the cloud and the swings go on after {@link verdict}. */
export async function goOn(world: World, speed = 3): Promise<void> {
  await world.cloud.post('/_control/clock', { speed });
  world.swings.resume();
}

async function count(db: DataSource): Promise<{ readings: number }> {
  const [row] = await db.query('SELECT count(*)::integer AS readings FROM readings');
  return row;
}

/** @returns how many were lost */
async function readingsAreStored({ cloud, db }: World, mayLose: boolean): Promise<number> {
  const shown = () => new Set(cloud.simulator.ledger().map(rowText));
  if (!mayLose) {
    await waitFor(async () => isSame(shown(), new Set(await storedRows(db))), {
      timeoutMs: DRAIN_MS,
      everyMs: 250,
      what: 'every reading that was shown to be stored',
    }).catch(async (error) => {
      expect(
        await difference(shown(), db),
        'shown and not stored (-), stored and not shown (+)',
      ).to.deep.equal([]);
      throw error;
    });
    return 0;
  }
  // What was wiped is polled again while the cloud shows it: nothing that it still shows may be missing.
  await waitFor(async () => (await missing(cloud.simulator.ledger(), db)).stillShown === 0, {
    timeoutMs: DRAIN_MS,
    everyMs: 250,
    what: 'the newest reading of every probe to be stored',
  });
  const { lost, outsideOfGaps } = await missing(cloud.simulator.ledger(), db);
  expect(outsideOfGaps, 'lost without a recorded gap').to.deep.equal([]);
  return lost;
}

async function difference(shown: Set<string>, db: DataSource): Promise<string[]> {
  const stored = new Set(await storedRows(db));
  return [
    ...[...shown].filter((row) => !stored.has(row)).map((row) => `- ${row}`),
    ...[...stored].filter((row) => !shown.has(row)).map((row) => `+ ${row}`),
  ].slice(0, 20);
}

const isSame = (a: Set<string>, b: Set<string>) => a.size === b.size && [...a].every((row) => b.has(row));

type Ledger = ReturnType<World['cloud']['simulator']['ledger']>;

async function missing(ledger: Ledger, db: DataSource) {
  const stored = new Set(await storedRows(db));
  const gaps: { probe: string; from: number; to: number }[] = (
    await db.query(
      `SELECT p.device_id || ' ' || p.probe_id AS probe, g.gap_start, g.gap_end
       FROM reading_gaps g JOIN probes p ON p.id = g.probe_id`,
    )
  ).map((gap: { probe: string; gap_start: Date; gap_end: Date }) => ({
    probe: gap.probe,
    from: gap.gap_start.getTime(),
    to: gap.gap_end.getTime(),
  }));
  const newest = new Map<string, number>();
  for (const { device_id, probe_id, measured_at } of ledger) {
    const probe = `${device_id} ${probe_id}`;
    newest.set(probe, Math.max(newest.get(probe) ?? 0, Date.parse(measured_at)));
  }
  const absent = ledger.filter((entry) => !stored.has(rowText(entry)));
  const isNewest = ({ device_id, probe_id, measured_at }: Ledger[number]) =>
    newest.get(`${device_id} ${probe_id}`) === Date.parse(measured_at);
  const isInGap = ({ device_id, probe_id, measured_at }: Ledger[number]) => {
    const at = Date.parse(measured_at);
    return gaps.some(({ probe, from, to }) => probe === `${device_id} ${probe_id}` && at > from && at < to);
  };
  return {
    lost: absent.length,
    stillShown: absent.filter(isNewest).length,
    outsideOfGaps: absent.filter((entry) => !isInGap(entry)).map(rowText),
  };
}

/** No job, no notification and no lease waits; whatever failed for good is a dead letter, and nothing has. */
async function nothingIsLeft({ db, process }: World): Promise<void> {
  const pending = "SELECT id FROM notifications WHERE status = 'pending'";
  await waitFor(async () => (await db.query(pending)).length === 0, {
    timeoutMs: DRAIN_MS,
    everyMs: 250,
    what: 'no pending notification',
  });
  const queues = async () => JSON.parse((await process(0).get('/health')).text).queues;
  await waitFor(
    async () =>
      Object.values<Record<string, number>>(await queues()).every(
        ({ waiting, active }) => waiting === 0 && active === 0,
      ),
    { timeoutMs: DRAIN_MS, everyMs: 250, what: 'empty queues' },
  );
  expect(await db.query('SELECT queue, reason FROM dead_letters'), 'dead letters').to.deep.equal([]);
}

/** Versions 1 to n without a hole, fired and resolved by turns, and the state says the same. @returns events, but late ones */
async function eventsAreWhole({ db }: World): Promise<number> {
  const rows: { versions: number[]; kinds: string[]; version: number }[] = await db.query(
    `SELECT array_agg(e.version ORDER BY e.id) AS versions, array_agg(e.kind ORDER BY e.id) AS kinds, s.version
     FROM alert_states s JOIN alert_events e USING (alert_id, side, tier) WHERE e.version > 0 GROUP BY s.alert_id, s.side, s.tier, s.version`,
  );
  for (const { versions, kinds, version } of rows) {
    expect(versions).to.deep.equal(Array.from({ length: version }, (_, index) => index + 1));
    expect(kinds).to.deep.equal(versions.map((_, index) => (index % 2 === 0 ? 'fired' : 'resolved')));
  }
  return rows.reduce((sum, { versions }) => sum + versions.length, 0);
}

/** @returns copies beyond the first */
async function eventsWereDelivered({ db, receiver }: World): Promise<number> {
  const rows: { id: string; status: string; path: string }[] = await db.query(
    `SELECT n.id, n.status, u.email AS path FROM notifications n JOIN notification_channels c ON c.id = n.channel_id
     JOIN users u ON u.id = c.user_id`,
  );
  const got = new Map<string, number>();
  for (const { headers, path } of receiver.received) {
    const key = `${headers['webhook-id']} ${path}`;
    got.set(key, (got.get(key) ?? 0) + 1);
  }
  for (const { id, status, path } of rows) {
    expect(status, `notification ${id}`).to.equal('delivered');
    const key = `${id} /${path.split('@')[0]}`;
    expect(got.get(key), `deliveries of ${key}`).to.be.at.least(1);
  }
  const [{ undelivered }] = await db.query(
    `SELECT count(*)::integer AS undelivered FROM alert_events e
     WHERE NOT e.detected_late AND NOT EXISTS (SELECT FROM notifications n WHERE n.alert_event_id = e.id)`,
  );
  expect(undelivered, 'events without a notification').to.equal(0);
  return [...got.values()].reduce((sum, times) => sum + times - 1, 0);
}

/** @returns sessions compared */
async function rollUpsAreExact(db: DataSource): Promise<number> {
  const rows: RollUp[] = await db.query(
    `SELECT g.id AS session, g.temperature_unit AS unit, g.start_time, g.end_time, m.probe_id, m.member_from, m.member_to,
       s.reading_count AS count, s.temperature_sum_hundredths::float8 AS "sumHundredths", s.min_temperature AS min,
       s.max_temperature AS max, s.avg_temperature AS avg
     FROM grilling_sessions g JOIN session_members m ON m.session_id = g.id
     LEFT JOIN session_probe_stats s ON s.session_id = g.id AND s.probe_id = m.probe_id
     WHERE g.status <> 'cancelled'`,
  );
  for (const row of rows)
    expect(rollUpOf(row), `session ${row.session}`).to.deep.equal(await recomputed(row, db));
  return new Set(rows.map(({ session }) => session)).size;
}

interface RollUp {
  session: number;
  unit: 'F' | 'C';
  start_time: Date;
  end_time: Date | null;
  probe_id: number;
  member_from: Date | null;
  member_to: Date | null;
  count: number | null;
  sumHundredths: number;
  min: number;
  max: number;
  avg: number;
}

const rollUpOf = ({ count, sumHundredths, min, max, avg }: RollUp) =>
  count === null ? undefined : { count, sumHundredths, min, max, avg: Math.round(avg * 1e6) };

async function recomputed(row: RollUp, db: DataSource) {
  const readings: { at: Date; value: number; unit: Unit; flags: number }[] = await db.query(
    'SELECT measured_at AS at, value, unit, flags FROM readings WHERE probe_id = $1',
    [row.probe_id],
  );
  const taken = readings.map(({ at, value, unit, flags }) => ({
    probe: 0,
    ms: at.getTime(),
    hundredths: Math.round(value * 100),
    unit,
    flags: flags & (UNTRUSTED | FLAG.late),
  }));
  const fromMs = Math.max(row.start_time.getTime(), row.member_from?.getTime() ?? Number.NEGATIVE_INFINITY);
  const ends = [row.end_time, row.member_to].flatMap((end) => end?.getTime() ?? []);
  const stats = plainStats(taken, {
    unit: row.unit,
    fromMs,
    toMs: Math.min(...ends, Number.POSITIVE_INFINITY),
  });
  if (!stats) return undefined;
  const { count, sumHundredths, min, max, avg } = stats;
  return { count, sumHundredths, min, max, avg: Math.round(avg * 1e6) };
}

/** Neither in what our processes wrote, nor in Redis, nor in their figures. */
async function secretsAreNowhere(world: World): Promise<void> {
  const places = world.processes.map((one) => [one.name, one.output()] as const);
  for (const one of world.processes) places.push([`${one.name} /metrics`, (await one.get('/metrics')).text]);
  const client = new Redis(world.redis.url);
  try {
    for (const key of await client.keys('*'))
      places.push([key, JSON.stringify(await client.hgetall(key).catch(() => ''))]);
  } finally {
    client.disconnect();
  }
  for (const [place, text] of places)
    for (const secret of world.secrets) expect(text.includes(secret), `a secret in ${place}`).to.equal(false);
}
