import { defineFaults } from './define.js';
import { kills } from './kills.js';

defineFaults('kills', kills);
