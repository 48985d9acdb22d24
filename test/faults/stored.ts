import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { FLAG } from '../../src/readings/sample.js';
import { rowText, storedRows } from '../poller/kitchen.js';
import { waitFor } from '../support/wait-for.js';
import type { World } from './world.js';

const DRAIN_MS = 120_000;

/** @returns how many were lost */
export async function readingsAreStored({ cloud, db }: World, mayLose: boolean): Promise<number> {
  const shown = () => new Set(cloud.simulator.ledger().map(rowText));
  if (!mayLose) {
    await waitFor(async () => isSame(shown(), new Set(await storedRows(db))), {
      timeoutMs: DRAIN_MS,
      everyMs: 250,
      what: 'every reading that was shown to be stored',
    }).catch(async (error) => {
      expect(
        (await difference(shown(), db)).slice(0, 20),
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
  expect(
    (await difference(shown(), db)).filter((row) => row.startsWith('+')),
    'stored and not shown',
  ).to.deep.equal([]);
  return lost;
}

async function difference(shown: Set<string>, db: DataSource): Promise<string[]> {
  const stored = new Set(await storedRows(db));
  return [
    ...[...shown].filter((row) => !stored.has(row)).map((row) => `- ${row}`),
    ...[...stored].filter((row) => !shown.has(row)).map((row) => `+ ${row}`),
  ];
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

/**
 * A gap is from one stored reading to the next: none lies in it, but what came later than the one that ends it. It need not
 * hold a reading that was shown: what the cloud overwrote before anybody asked is missing as well.
 */
export async function gapsAreHonest({ db }: World): Promise<void> {
  const untrue: { gap: string }[] = await db.query(
    `SELECT concat_ws(' ', p.device_id, p.probe_id, g.gap_start, g.gap_end, g.cause, g.status) AS gap
     FROM reading_gaps g JOIN probes p ON p.id = g.probe_id
     WHERE EXISTS (SELECT FROM readings r WHERE r.probe_id = g.probe_id AND r.flags & $1 = 0
         AND r.measured_at > g.gap_start AND r.measured_at < g.gap_end)
       OR 2 <> (SELECT count(*) FROM readings r WHERE r.probe_id = g.probe_id AND r.measured_at IN (g.gap_start, g.gap_end))`,
    [FLAG.late | FLAG.skewed],
  );
  expect(untrue, 'gaps with a reading in them, or without one at an end').to.deep.equal([]);
}
