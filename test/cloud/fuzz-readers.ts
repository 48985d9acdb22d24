import { expect } from 'chai';
import { fold } from '../../src/ingest/fold.js';
import { gather, inputsByDevice, keyOf, toReadings } from '../../src/ingest/gather.js';
import type { FoldResult, IngestWorld } from '../../src/ingest/types.js';
import {
  type KnownProbe,
  newCondition,
  newSamples,
  shownAt,
  toJobSample,
  toJobs,
} from '../../src/poller/plan.js';
import { JOB_SCHEMAS } from '../../src/queues/jobs.js';
import { emptyDetection, parseDetection } from '../../src/sessions/detection-state.js';
import { parseJsonBody } from '../../src/thermoworks/json-body.js';
import { readChannel, readDevice, readUser } from '../../src/thermoworks/payload.js';
import type { CloudChannel, CloudDevice } from '../../src/thermoworks/types.js';
import { deviceFacts, probeFacts } from '../support/traces.js';
import { CHANNEL, DOCS, NODE, READ_TIME, RFX } from '../thermoworks/documents.js';
import { chanceOf, mutate, tear } from './mutations.js';

const USER = {
  name: `${DOCS}/users/uidDemo0001`,
  fields: {
    accountId: { stringValue: 'accDemo01' },
    preferredUnits: { stringValue: 'F' },
    timeZone: { stringValue: 'America/Denver' },
  },
};
const SINGLE = Math.fround(3.4028234663852886e38);
const PROBE: KnownProbe = {
  id: 1,
  probeId: '1',
  condition: 'ok',
  lastValue: 70,
  lastMeasuredAt: new Date(READ_TIME.getTime() - 3_600_000),
  shownAt: null,
  learnedIntervalSeconds: null,
};

/**
 * Documents with a few places changed, each read as the poller reads it and taken through job and fold; what would be
 * stored is held against the tables' rules. Throws with seed, number and text of the first that breaks one.
 */
export function fuzzReaders({ documents, seed }: { documents: number; seed: number }): { read: number } {
  const chance = chanceOf(seed);
  let read = 0;
  for (let number = 1; number <= documents; number += 1) {
    const [document, take] = chance.pick(KINDS);
    const whole = mutate(document, chance);
    const text = chance.below(50) === 0 ? tear(whole, chance) : whole;
    try {
      const parsed = parsedOf(text);
      if (parsed !== undefined && take(parsed)) read += 1;
    } catch (cause) {
      throw new Error(`seed ${seed}, document ${number}: ${cause}\n${text.slice(0, 5_000)}`, { cause });
    }
  }
  expect(Object.keys(Object.prototype)).to.deep.equal([]);
  return { read };
}

/** Undefined for what is no JSON. */
function parsedOf(text: string): unknown {
  try {
    return parseJsonBody(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Each document, and what reads it; false where it is refused. */
const KINDS: readonly (readonly [object, (document: unknown) => boolean])[] = [
  [CHANNEL, (document) => takeChannel(readChannel(document, READ_TIME)?.channel)],
  [CHANNEL, (document) => takeChannel(readChannel(document, READ_TIME)?.channel)],
  [NODE, (document) => takeDevice(readDevice(document, READ_TIME))],
  [RFX, (document) => takeDevice(readDevice(document, READ_TIME))],
  [USER, (document) => takeUser(document)],
];

function takeUser(document: unknown): boolean {
  const user = readUser(document);
  if (!user) return false;
  checkText(user.accountId, 128);
  checkText(user.timeZone, 64);
  return true;
}

function takeDevice(device: CloudDevice | null): boolean {
  if (!device) return false;
  checkText(device.deviceId, 50);
  checkText(device.updateTime, 40);
  for (const text of [device.label, device.type, device.model]) checkText(text, 100);
  for (const at of [device.lastSeenAt, device.lastTelemetryAt]) checkTime(at);
  checkWhole(device.batteryPercent, 0, 100);
  checkWhole(device.signalDbm, -200, -1);
  for (const every of [device.transmitIntervalSeconds, device.recordingIntervalSeconds])
    checkWhole(every, 1, 2 ** 31 - 1);
  return true;
}

function takeChannel(channel: CloudChannel | undefined): boolean {
  if (!channel) return false;
  checkText(channel.deviceId, 50);
  checkText(channel.probeId, 50);
  for (const text of [channel.label, channel.unknownUnit]) checkText(text, 100);
  for (const at of [channel.lastSeenAt, shownAt(channel)]) checkTime(at);
  const known = { readTime: READ_TIME, heardAt: channel.lastSeenAt, intervalSeconds: null };
  const condition = newCondition(PROBE, channel.condition, known);
  const samples = newSamples(channel, PROBE).map(toJobSample);
  if (condition) samples.push([READ_TIME.getTime(), condition, 'F', 0]);
  const news = samples.length === 0 ? [] : [{ device: 1, probe: 1, samples }];
  const jobs = toJobs({ account: 1, previousPollMs: null, failedBetween: false }, news);
  const parsed = jobs.map((job) => JOB_SCHEMAS.readings.parse(JSON.parse(JSON.stringify(job))));
  const batch = gather(parsed, []);
  const before = worldOf(channel);
  const { readings } = toReadings(batch, new Map([[1, before]]));
  for (const { measuredAtMs, value, flags } of readings) {
    checkTime(new Date(measuredAtMs));
    checkSingle(value);
    checkWhole(flags, 0, 32_767);
  }
  checkFolded(fold(before, inputsByDevice(batch, new Set(readings.map(keyOf))).get(1) ?? [], () => 'new'));
  return true;
}

function worldOf({ label, kind }: CloudChannel): IngestWorld {
  const { id, condition, lastMeasuredAt } = PROBE;
  const last = { lastMs: lastMeasuredAt?.getTime() ?? null, lastHundredths: 7_000, lastUnit: 'F' as const };
  const state = { id, ...last, condition, conditionMs: null, learnedIntervalSeconds: null };
  return {
    sessions: {
      device: deviceFacts([probeFacts(1, label, { kind })]),
      detection: emptyDetection(),
      sessions: [],
    },
    statedIntervalSeconds: 60,
    recordingIntervalSeconds: null,
    reportsOnChange: false,
    probes: new Map([[1, state]]),
    alerts: new Map(),
  };
}

function checkFolded({ world, gaps }: FoldResult): void {
  parseDetection(JSON.parse(JSON.stringify(world.sessions.detection)));
  for (const { lastMs, conditionMs, lastHundredths, learnedIntervalSeconds } of world.probes.values()) {
    for (const ms of [lastMs, conditionMs]) checkTime(ms === null ? null : new Date(ms));
    for (const number of [(lastHundredths ?? 0) / 100, learnedIntervalSeconds ?? 0]) checkSingle(number);
  }
  for (const { startMs, endMs } of gaps) expect(endMs).to.be.greaterThan(startMs);
  for (const { startMs, endMs } of world.sessions.sessions) expect(endMs ?? startMs).to.be.at.least(startMs);
}

/** Text that PostgreSQL takes into a column of this width. */
function checkText(text: string | null, longest: number): void {
  if (text === null) return;
  if (text === '' || [...text].length > longest || /[\0\p{Cs}]/u.test(text))
    throw new Error(`text ${JSON.stringify(text)}`);
}

/** Of the years that PostgreSQL and we write alike. */
function checkTime(at: Date | null): void {
  if (at !== null && !(at.getUTCFullYear() >= 1 && at.getUTCFullYear() <= 9_999))
    throw new Error(`time ${+at}`);
}

function checkWhole(value: number | null, least: number, most: number): void {
  if (value !== null && !(Number.isInteger(value) && value >= least && value <= most))
    throw new Error(`number ${value}`);
}

function checkSingle(value: number): void {
  if (!(Math.abs(value) <= SINGLE)) throw new Error(`number ${value}`);
}
