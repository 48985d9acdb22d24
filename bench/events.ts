import { setTimeout as sleep } from 'node:timers/promises';
import { createEnqueue } from '../src/queues/enqueue.js';
import { startReceiver } from '../test/notifications/receiver.js';
import { waitFor } from '../test/support/wait-for.js';
import { runCommand } from './cloud.js';
import { createHomes, type Homes, nextJobs } from './homes.js';
import { openBenchQueues } from './ingest.js';
import { bareTrip } from './latency.js';
import { openServers, startRoles } from './servers.js';
import { type Options, percentile, type Row } from './table.js';

const DEVICES = 1_010;
const EVENTS = { small: 40, full: 200 };
const EVERY_MS = 250;
/** Jobs of 40 readings: 5,000 readings a second. */
const LOAD = { jobs: 25, everyMs: 200, perJob: 40 };
const COOK = 'cook1@example.com';

/** From a stored event to the receiver's answer, at rest and beside 5,000 readings a second, through two processes. */
export async function benchEvents({ isSmall, say }: Options): Promise<Row[]> {
  const servers = await openServers();
  const receiver = await startReceiver();
  servers.onClose('receiver', receiver.close);
  const arrivals = new Map<string, number>();
  receiver.answer = (response, { headers }) => {
    arrivals.set(headers['webhook-id'] ?? '', Date.now());
    response.writeHead(204).end();
  };
  try {
    const { db, env } = servers;
    const homes = await createHomes(db, DEVICES);
    // The first account's ten devices are not part of the load; one of its probes tells at each reading.
    const watched = { ...homes, devices: homes.devices.slice(0, 1) };
    const others = { ...homes, devices: homes.devices.slice(10) };
    await db.query('UPDATE temperature_alerts SET is_active = false WHERE user_id = 1');
    await db.query(
      `UPDATE temperature_alerts SET is_active = true, min_temperature = NULL, hold_seconds = 0, recovery_seconds = 0
       WHERE id = (SELECT min(id) FROM temperature_alerts WHERE user_id = 1 AND alert_type = 'range')`,
    );
    env.ALLOW_PRIVATE_WEBHOOKS = 'true';
    await runCommand(servers, [
      'channel',
      'create',
      '--email',
      COOK,
      '--kind',
      'webhook',
      '--url',
      receiver.url,
    ]);
    for (const role of ['worker', 'notifier']) startRoles(servers, role);
    const { queues, logger } = await openBenchQueues(servers);
    const enqueue = createEnqueue({ queues, logger });
    const isLost = () => Promise.reject(new Error('a job could not be enqueued'));

    async function cross(count: number): Promise<void> {
      for (let n = 0; n < count; n++) {
        const [job] = nextJobs(watched, { rounds: 1, perJob: 4 });
        const [pit] = job?.probes ?? [];
        const [sample] = pit?.samples ?? [];
        if (!job || !pit || !sample) throw new Error('no job');
        sample[1] = n % 2 === 0 ? 300 : 250;
        await enqueue.readings({ ...job, probes: [pit] }, isLost);
        await sleep(EVERY_MS);
      }
    }
    async function tripsOf(count: number): Promise<number[]> {
      arrivals.clear();
      await cross(count);
      await waitFor(() => arrivals.size >= count, { timeoutMs: 60_000, what: 'all events at the receiver' });
      const { rows } = await db.query<{ id: string; ms: number }>(
        `SELECT n.id, extract(epoch FROM e.created_at)::float8 * 1000 AS ms
         FROM notifications n JOIN alert_events e ON e.id = n.alert_event_id WHERE n.id = ANY($1)`,
        [[...arrivals.keys()]],
      );
      return rows.map(({ id, ms }) => (arrivals.get(id) ?? Number.NaN) - ms);
    }

    const count = EVENTS[isSmall ? 'small' : 'full'];
    await tripsOf(10);
    const bare: number[] = [];
    for (let n = 0; n < count; n++) bare.push(await bareTrip(servers, receiver.url));
    const rest = await tripsOf(count);
    const load = startLoad(others, (job) => enqueue.readings(job, isLost));
    const busy = await tripsOf(count);
    const sent = await load.stop();
    say(`events: ${JSON.stringify({ rest, busy, sent })}`);
    const note = `${count} events; meanwhile ${Math.round(sent.readings / sent.seconds)} readings/s of 4,000 other probes were enqueued`;
    return [0.5, 0.99].flatMap((share) => [
      rowOf('at rest', share, rest, bare),
      rowOf('at 5,000 readings/s', share, busy, bare, note),
    ]);
  } finally {
    await servers.close();
  }
}

function rowOf(
  when: string,
  share: number,
  trips: readonly number[],
  bare: readonly number[],
  note?: string,
): Row {
  const [value, least] = [percentile(trips, share), percentile(bare, share)];
  return {
    figure: 'events',
    what: `event to receiver, ${when}, p${share * 100}`,
    value,
    unit: 'ms',
    anchor: { what: 'a request and an INSERT', value: least, unit: 'ms' },
    ratio: value / least,
    ...(note !== undefined && { note }),
  };
}

type Send = (job: ReturnType<typeof nextJobs>[number]) => Promise<unknown>;

/** Until it is stopped; what could not be sent in time follows as soon as it can. */
function startLoad(homes: Homes, send: Send) {
  const startMs = performance.now();
  let stopped = false;
  let readings = 0;
  async function run(): Promise<void> {
    let jobs = nextJobs(homes, { rounds: 1, perJob: LOAD.perJob });
    for (let dueMs = startMs; !stopped; dueMs += LOAD.everyMs) {
      if (jobs.length < LOAD.jobs) jobs = [...jobs, ...nextJobs(homes, { rounds: 1, perJob: LOAD.perJob })];
      const now = jobs.splice(0, LOAD.jobs);
      await Promise.all(now.map(send));
      readings += now.length * LOAD.perJob;
      await sleep(Math.max(0, dueMs + LOAD.everyMs - performance.now()));
    }
  }
  const running = run();
  return {
    async stop() {
      stopped = true;
      await running;
      return { readings, seconds: (performance.now() - startMs) / 1000 };
    },
  };
}
