import { defineFaults } from './define.js';
import { networkFaults } from './network.js';

defineFaults('a bad network', networkFaults);
