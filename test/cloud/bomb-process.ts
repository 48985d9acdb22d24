import { CloudError } from '../../src/thermoworks/cloud-error.js';
import { clientOf } from '../poller/parts.js';

/** Makes one call to the cloud, and says how it ended and how much memory the process ever had. */
const [cloudUrl = ''] = process.argv.slice(2);
const client = clientOf(cloudUrl);
const error: unknown = await client.refresh('a token').catch((reason: unknown) => reason);
client.close();
const reason = error instanceof CloudError ? error.reason : null;
process.stdout.write(`${JSON.stringify({ reason, maxRssMb: process.resourceUsage().maxRSS / 1024 })}\n`);
