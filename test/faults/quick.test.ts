import { defineFaults } from './define.js';
import { kills } from './kills.js';
import { postgresFaults } from './postgres.js';
import { receiverFaults } from './receivers.js';
import { redisFaults } from './redis.js';

/** What of the faults fits into three minutes; `npm run test:faults` runs all. */
defineFaults(
  'the quick ones',
  [...kills, ...receiverFaults, ...postgresFaults, ...redisFaults].filter(({ quick }) => quick),
);
