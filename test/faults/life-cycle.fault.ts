import { defineFaults } from './define.js';
import { lifeCycle } from './life-cycle.js';

defineFaults('starts and ends', lifeCycle, { accounts: 6 });
