import { prepare } from './install.mjs';

prepare();
process.argv.splice(2, 0, 'up');
await import('../bin/grill-stats.js');
