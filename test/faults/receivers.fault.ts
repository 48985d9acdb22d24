import { defineFaults } from './define.js';
import { receiverFaults } from './receivers.js';

defineFaults('receivers', receiverFaults);
