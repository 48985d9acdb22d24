import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';
import { goOn } from './oracle.js';
import { calmDown, isStoring, WAIT } from './outage.js';
import { arePolled, type World } from './world.js';

/** An account's documents take a second or two then. */
const THROTTLED = { kind: 'throttle', bytesPerSecond: 4_000 } as const;
/** Enough for the head of an answer, and too little for its body. */
const CUT_SHORT = { kind: 'truncate', bytes: 500 } as const;
/** Within the time that a receiver has, also when a request comes in several pieces. */
const SLOW_RECEIVER = { kind: 'latency', delayMs: 1_000 } as const;
/** Of each piece, both ways: a transaction has dozens of them. */
const SLOW_DATABASE = { kind: 'latency', delayMs: 15 } as const;

const POLLS = 3;
const EVENTS = 2;

/** The network is bad for as long as the work takes. */
async function meanwhile(
  proxy: World['proxies']['cloud'],
  mode: Parameters<typeof proxy.set>[0],
  work: () => Promise<unknown>,
): Promise<void> {
  await proxy.set(mode);
  try {
    await work();
  } finally {
    await proxy.set({ kind: 'pass' });
  }
}

/** Good polls of every account, one after the other, and something stored by every process. */
async function goesOn(world: World): Promise<void> {
  for (let poll = 0; poll < POLLS; poll++) await arePolled(world.db);
  await isStoring(world);
}

/** Waits until a poll of each account has failed since this was called. */
async function pollsFail({ db, users }: World): Promise<void> {
  await db.query('UPDATE thermoworks_credentials SET last_error = NULL');
  const failed = 'SELECT FROM thermoworks_credentials WHERE last_error IS NOT NULL';
  const haveFailed = async () => (await db.query(failed)).length === users.length;
  await waitFor(haveFailed, { ...WAIT, what: 'a poll of each account to fail' });
}

/** How long an account waits after polls that failed is its back-off: no bound of ours is asked for here. */
async function outageOfCloud(world: World, during: () => Promise<unknown>): Promise<void> {
  await calmDown(world);
  await during();
  await arePolled(world.db);
  await goOn(world);
}

/** Waits until the receiver has got so many more events of every alert. */
async function eventsArrive({ receiver, users }: World): Promise<void> {
  const before = receiver.received.length;
  const arrived = (path: string) => receiver.received.slice(before).filter((one) => one.path === path).length;
  const haveArrived = () => users.every((_, index) => arrived(`/cook${index}`) >= EVENTS);
  await waitFor(haveArrived, { ...WAIT, what: `${EVENTS} events of every alert` });
}

/** A network that is not down, only bad. */
export const networkFaults: readonly Fault[] = [
  {
    name: 'the cloud throttled',
    promise: 'G1',
    async run(world) {
      await meanwhile(world.proxies.cloud, THROTTLED, () => goesOn(world));
      return `${POLLS} good polls of each account meanwhile`;
    },
  },
  {
    name: "the cloud's answers cut short",
    promise: 'G1',
    async run(world) {
      const before = world.proxies.cloud.opened();
      await outageOfCloud(world, () => meanwhile(world.proxies.cloud, CUT_SHORT, () => pollsFail(world)));
      return `${world.proxies.cloud.opened() - before} connections`;
    },
  },
  {
    name: 'a receiver far away',
    promise: 'G6, G7',
    async run(world) {
      await meanwhile(world.proxies.receiver, SLOW_RECEIVER, () => eventsArrive(world));
      return `${EVENTS} events of each alert meanwhile`;
    },
  },
  {
    name: 'PostgreSQL far away',
    promise: 'G1, G6',
    async run(world) {
      await meanwhile(world.proxies.postgres, SLOW_DATABASE, () => goesOn(world));
      return `${POLLS} good polls of each account meanwhile`;
    },
  },
];
