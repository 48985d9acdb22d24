import { clientOf, openDatabase, pollerOf, pollParts } from './parts.js';

/** A poller of its own: says that it runs, and polls until it is killed. */
const [databaseUrl = '', cloudUrl = ''] = process.argv.slice(2);
const parts = pollParts(await openDatabase(databaseUrl), clientOf(cloudUrl));
pollerOf(parts).poller.start();
process.stdout.write(`${JSON.stringify({ started: true })}\n`);
