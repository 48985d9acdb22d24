import { defineFaults } from './define.js';
import { redisFaults } from './redis.js';

defineFaults('Redis', redisFaults);
