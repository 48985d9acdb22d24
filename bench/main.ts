import 'reflect-metadata';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchAlerts } from './alerts.js';
import { benchCharts } from './charts.js';
import { benchCook } from './cook.js';
import { benchEvents } from './events.js';
import { benchFold } from './fold.js';
import { benchImport } from './import.js';
import { benchIngest } from './ingest.js';
import { benchLatency } from './latency.js';
import { benchMemory } from './memory.js';
import { benchRehearse } from './rehearse.js';
import { benchRequests } from './requests.js';
import { type Options, type Row, toJson, toText } from './table.js';
import { benchTimers } from './timers.js';

const FIGURES: Record<string, (options: Options) => Promise<Row[]>> = {
  ingest: benchIngest,
  fold: benchFold,
  alerts: benchAlerts,
  requests: benchRequests,
  latency: benchLatency,
  memory: benchMemory,
  events: benchEvents,
  timers: benchTimers,
  rehearse: benchRehearse,
  import: benchImport,
  charts: benchCharts,
  cook: benchCook,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, 'json-to': { type: 'string' }, 'profile-to': { type: 'string' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(FIGURES);
const unknown = names.find((name) => FIGURES[name] === undefined);
if (unknown !== undefined) {
  process.stderr.write(`no figure ${unknown}: there is ${Object.keys(FIGURES).join(', ')}\n`);
  process.exit(2);
}
const rows: Row[] = [];
for (const name of names) {
  const startMs = performance.now();
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const found = await FIGURES[name]?.({
    isSmall: positionals.length === 0,
    profileTo: values['profile-to'],
    say,
  });
  rows.push(...(found ?? []));
  say(`${name}: ${((performance.now() - startMs) / 1000).toFixed(0)} s`);
}
process.stdout.write(values.json ? `${toJson(rows)}\n` : toText(rows));
if (values['json-to'] !== undefined) writeFileSync(values['json-to'], `${toJson(rows)}\n`);
