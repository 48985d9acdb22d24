import { addAlerts, createHomes, nextJobs, PROBES_PER_DEVICE } from './homes.js';
import { openDrain } from './ingest.js';
import { openServers, startRoles } from './servers.js';
import { median, type Options, type Row } from './table.js';

const PER_JOB = 40;
const WARM_UP_ROUNDS = 30;
const EDITED_ROUNDS = 10;
const SIZES = {
  small: { probes: 1_000, turns: 4, rounds: 60 },
  full: { probes: 4_000, turns: 5, rounds: 100 },
};
const COUNTS = [0, 1, 10] as const;
const AT_LEAST = 0.7;

/** A backlog through one worker with no, one and ten alerts in force on each probe. */
export async function benchAlerts({ isSmall, say }: Options): Promise<Row[]> {
  const { probes, turns, rounds } = SIZES[isSmall ? 'small' : 'full'];
  const servers = await openServers();
  try {
    const { db } = servers;
    const homes = await createHomes(db, probes / PROBES_PER_DEVICE);
    await addAlerts(db);
    const drain = await openDrain(servers);
    startRoles(servers, 'worker');
    const speed: Record<(typeof COUNTS)[number], number[]> = { 0: [], 1: [], 10: [] };

    async function takeTurn(count: (typeof COUNTS)[number], many: number): Promise<number> {
      await db.query(
        `UPDATE temperature_alerts a SET is_active = nth <= $1
         FROM (SELECT id, row_number() OVER (PARTITION BY device_id, probe_id ORDER BY id) AS nth FROM temperature_alerts) n
         WHERE n.id = a.id`,
        [count],
      );
      // Rules that were just edited are read once more: not what is measured.
      await drain(nextJobs(homes, { rounds: EDITED_ROUNDS, perJob: PER_JOB }));
      await db.query('TRUNCATE readings');
      await db.query('VACUUM (ANALYZE)');
      await db.query('CHECKPOINT');
      return drain(nextJobs(homes, { rounds: many, perJob: PER_JOB }));
    }

    await takeTurn(10, WARM_UP_ROUNDS);
    for (let turn = 0; turn < turns; turn++)
      // There and back: whatever else the machine does weighs on all of them.
      for (const count of turn % 2 === 0 ? COUNTS : COUNTS.toReversed())
        speed[count].push(await takeTurn(count, rounds));
    say(`alerts: ${JSON.stringify(speed)}`);
    const unit = 'readings/s';
    const ratioOf = (count: 1 | 10) => median(speed[count].map((ours, turn) => ours / (speed[0][turn] ?? 0)));
    const rowOf = (count: 1 | 10): Row => ({
      figure: 'alerts',
      what: `${count} on each probe, ${PER_JOB} readings a job`,
      value: median(speed[count]),
      unit,
      anchor: { what: 'none', value: median(speed[0]), unit },
      ratio: ratioOf(count),
    });
    const note = `${probes * rounds} readings of ${probes} probes a turn, medians of ${turns}; of all types that watch a probe`;
    return [rowOf(1), { ...rowOf(10), atLeast: AT_LEAST, note }];
  } finally {
    await servers.close();
  }
}
