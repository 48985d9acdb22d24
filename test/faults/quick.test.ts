import { defineFaults } from './define.js';
import { kills } from './kills.js';
import { receiverFaults } from './receivers.js';

/** What of the faults fits into three minutes; `npm run test:faults` runs all. */
defineFaults(
  'the quick ones',
  [...kills, ...receiverFaults].filter(({ quick }) => quick),
);
