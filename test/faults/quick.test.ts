import { defineFaults } from './define.js';
import { kills } from './kills.js';

/** What of the faults fits into three minutes; `npm run test:faults` runs all. */
defineFaults(
  'the quick ones',
  [...kills].filter(({ quick }) => quick),
);
