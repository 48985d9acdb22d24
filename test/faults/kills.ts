import { waitFor } from '../support/wait-for.js';
import type { Fault } from './define.js';

/** SIGKILL at every stage of the path of a reading. */
export const kills: readonly Fault[] = [
  {
    name: 'worker killed',
    promise: 'G1',
    quick: true,
    async run(world) {
      const before = (await world.db.query('SELECT FROM alert_events')).length;
      await waitFor(async () => (await world.db.query('SELECT FROM alert_events')).length > before + 2, {
        timeoutMs: 60_000,
        what: 'alert events',
      });
      await world.kill(world.process(0));
      return undefined;
    },
  },
];
