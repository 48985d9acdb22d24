import { expect } from 'chai';
import {
  batteryNews,
  channelsToRead,
  isSweepDue,
  type KnownDevice,
  type KnownProbe,
  newCondition,
  newSamples,
  type ProbeNews,
  seenMark,
  shownAt,
  toJobs,
} from '../../src/poller/plan.js';
import { JOB_SCHEMAS, type JobBattery } from '../../src/queues/jobs.js';
import { FLAG, type ProbeCondition, type Sample } from '../../src/readings/sample.js';
import type { CloudChannel, CloudDevice } from '../../src/thermoworks/types.js';

const NOW = Date.parse('2026-11-20T10:00:00Z');
const at = (seconds: number): Date => new Date(NOW + seconds * 1000);

function cloudDevice(more: Partial<CloudDevice> = {}): CloudDevice {
  const texts = { label: null, type: null, model: null };
  const times = { lastSeenAt: at(0), lastTelemetryAt: at(0), lastArchiveAt: null, updateTime: 'u1' };
  const numbers = { batteryPercent: null, isCharging: null, signalDbm: null, recordingIntervalSeconds: null };
  const gateways = { iotDeviceId: null, gatewayId: null };
  return {
    deviceId: 'D',
    transmitIntervalSeconds: null,
    ...texts,
    ...times,
    ...numbers,
    ...gateways,
    ...more,
  };
}

function knownProbe(more: Partial<KnownProbe> = {}): KnownProbe {
  const last = { lastValue: 70, lastMeasuredAt: at(0), shownAt: at(0) };
  return { id: 1, probeId: '1', condition: 'ok', learnedIntervalSeconds: null, ...last, ...more };
}

function knownDevice(more: Partial<KnownDevice> = {}): KnownDevice {
  const row = { id: 1, deviceId: 'D', isActive: true, seenMark: 'u1', channelsCheckedAt: at(-3600) };
  return { ...row, batteriesSeen: [], probes: [knownProbe(), knownProbe({ id: 2, probeId: '3' })], ...more };
}

function sample(seconds: number, value = 70, flags = 0): Sample {
  return { measuredAt: at(seconds), value, unit: 'F', flags };
}

function channel(samples: Sample[], current: Sample | null = samples.at(-1) ?? null): CloudChannel {
  const facts = { label: null, kind: 'temperature', condition: 'ok' } as const;
  const rest = { unknownUnit: null, lastSeenAt: null, alarmHigh: null };
  return { deviceId: 'D', probeId: '1', samples, current, ...facts, ...rest };
}

describe('poll: which channels to read', () => {
  const asked = (device: CloudDevice, row: KnownDevice | undefined, sweep = false) =>
    channelsToRead([device], new Map(row ? [['D', row]] : []), { sweep, readTime: at(10) })[0]?.probeIds;

  it('none of a device that did not change', () => {
    expect(asked(cloudDevice(), knownDevice())).to.equal(undefined);
  });
  it('the known ones of a device that changed', () => {
    expect(asked(cloudDevice({ updateTime: 'u2' }), knownDevice())).to.deep.equal(['1', '3']);
  });
  it('the known ones in a sweep', () => {
    expect(asked(cloudDevice(), knownDevice(), true)).to.deep.equal(['1', '3']);
  });
  it('all of a device that is new, has no known channel, or was not checked for a day', () => {
    expect(asked(cloudDevice(), undefined)).to.equal(null);
    expect(asked(cloudDevice({ updateTime: 'u2' }), knownDevice({ probes: [] }))).to.equal(null);
    expect(asked(cloudDevice(), knownDevice({ channelsCheckedAt: null }))).to.equal(null);
    expect(asked(cloudDevice(), knownDevice({ channelsCheckedAt: at(10 - 86_399) }))).to.equal(undefined);
    expect(asked(cloudDevice(), knownDevice({ channelsCheckedAt: at(10 - 86_400) }))).to.equal(null);
  });
  it('the known ones where something that was shown is not stored', () => {
    const lost = knownProbe({ shownAt: at(5) });
    expect(asked(cloudDevice(), knownDevice({ probes: [lost] }))).to.deep.equal(['1']);
    const first = knownProbe({ lastMeasuredAt: null });
    expect(asked(cloudDevice(), knownDevice({ probes: [first] }))).to.deep.equal(['1']);
    const nothingShown = knownProbe({ lastMeasuredAt: null, shownAt: null });
    expect(asked(cloudDevice(), knownDevice({ probes: [nothingShown] }))).to.equal(undefined);
  });
  it('once more where the device tells of newer telemetry than its channels show, and not again', () => {
    const torn = cloudDevice({ updateTime: 'u2', lastTelemetryAt: at(5) });
    const first = seenMark(torn, [channel([sample(0)])], 'u1');
    expect(asked(torn, knownDevice({ seenMark: first }))).to.deep.equal(['1', '3']);
    const second = seenMark(torn, [channel([sample(0)])], first);
    expect(asked(torn, knownDevice({ seenMark: second }))).to.equal(undefined);
    // Nor after a sweep finds it as it was.
    expect(seenMark(torn, [channel([sample(0)])], second)).to.equal(second);
  });
  it('not again where one channel shows what the device tells of, or none shows anything', () => {
    const device = cloudDevice({ updateTime: 'u2', lastTelemetryAt: at(5) });
    expect(seenMark(device, [channel([sample(0)]), channel([sample(5)])], 'u1')).to.equal('u2');
    expect(seenMark(device, [channel([])], 'u1')).to.equal('u2');
    expect(seenMark(cloudDevice({ lastTelemetryAt: null }), [channel([sample(0)])], null)).to.equal('u1');
  });
  it('keeps the mark within its column', () => {
    const torn = cloudDevice({ updateTime: 'u'.repeat(40), lastTelemetryAt: at(5) });
    expect(seenMark(torn, [channel([sample(0)])], null)).to.have.lengthOf(40);
  });
  it('sweeps after ten minutes by the cloud, also when its clock was set back', () => {
    expect(isSweepDue(null, at(0))).to.equal(true);
    expect([599, 600, -600].map((seconds) => isSweepDue(at(0), at(seconds)))).to.deep.equal([
      false,
      true,
      true,
    ]);
  });
});

describe('poll: what is new', () => {
  const times = (shown: CloudChannel, probe = knownProbe()) =>
    newSamples(shown, probe).map(({ measuredAt }) => (measuredAt.getTime() - NOW) / 1000);

  it('everything of a probe that has nothing stored', () => {
    expect(times(channel([sample(-5), sample(0)]), knownProbe({ lastMeasuredAt: null }))).to.deep.equal([
      -5, 0,
    ]);
  });
  it('recent readings that are newer than the last stored one', () => {
    expect(times(channel([sample(-5), sample(0), sample(5), sample(9)]))).to.deep.equal([5, 9]);
  });
  it('nothing where the document did not change', () => {
    expect(times(channel([sample(-5), sample(0)]))).to.deep.equal([]);
  });
  it('the present value also where its time is older than the last stored one', () => {
    const late = sample(-5, 66);
    expect(times(channel([sample(-9), late], late))).to.deep.equal([-5]);
  });
  it('a second value for the stored time, which is then counted', () => {
    expect(times(channel([sample(0, 70.1)]))).to.deep.equal([0]);
    // As single precision keeps it, which is coarser than a hundredth here.
    const kept = Math.fround(123_456.79);
    expect(times(channel([sample(0, 123_456.79)]), knownProbe({ lastValue: kept }))).to.deep.equal([]);
  });
  it('a guessed time only with another value', () => {
    const guessed = (value: number) => channel([sample(20, value, FLAG.estimatedTime)]);
    expect(times(guessed(70))).to.deep.equal([]);
    expect(times(guessed(70.1))).to.deep.equal([20]);
    expect(times(guessed(70), knownProbe({ lastValue: null, lastMeasuredAt: null }))).to.deep.equal([20]);
  });
  it('counts as shown neither a clock that runs ahead nor a guessed time', () => {
    expect(shownAt(channel([sample(0), sample(5)]))).to.deep.equal(at(5));
    expect(shownAt(channel([sample(0), sample(900, 70, FLAG.skewed)]))).to.deep.equal(at(0));
    expect(shownAt(channel([sample(20, 70, FLAG.estimatedTime)]))).to.equal(null);
    expect(shownAt(channel([]))).to.equal(null);
  });
});

describe('poll: conditions', () => {
  const judged = (
    said: CloudChannel['condition'] | null,
    silentSeconds: number | null,
    {
      condition = 'ok',
      intervalSeconds = null as number | null,
    }: { condition?: ProbeCondition; intervalSeconds?: number | null } = {},
  ) =>
    newCondition(knownProbe({ condition }), said, {
      readTime: at(0),
      heardAt: silentSeconds === null ? null : at(-silentSeconds),
      intervalSeconds,
    });

  it('says once what the channel says', () => {
    expect(judged('absent', 5)).to.equal('absent');
    expect(judged('absent', 5, { condition: 'absent' })).to.equal(null);
    expect(judged('fault', 5, { condition: 'absent' })).to.equal('fault');
    expect(judged('absent', 9999, { condition: 'stale' })).to.equal('absent');
    expect(judged('ok', 5, { condition: 'absent' })).to.equal(null);
  });
  it('says once that the cloud calls it offline, which is stored as absent', () => {
    expect(judged('offline', 5)).to.equal('offline');
    expect(judged('offline', 5, { condition: 'absent' })).to.equal(null);
    expect(judged('offline', 9999, { condition: 'stale' })).to.equal('offline');
  });
  it('is stale after ten minutes or three intervals, whichever is more', () => {
    expect([600, 601].map((silent) => judged('ok', silent))).to.deep.equal([null, 'stale']);
    expect([600, 601].map((silent) => judged(null, silent, { intervalSeconds: 60 }))).to.deep.equal([
      null,
      'stale',
    ]);
    expect([900, 901].map((silent) => judged(null, silent, { intervalSeconds: 300 }))).to.deep.equal([
      null,
      'stale',
    ]);
  });
  it('is stale once, never where nothing was measured, and not where there is another reason', () => {
    expect(judged(null, 9999, { condition: 'stale' })).to.equal(null);
    expect(judged(null, null)).to.equal(null);
    expect(judged(null, 9999, { condition: 'absent' })).to.equal(null);
  });
});

describe('poll: batteries', () => {
  const news = (seen: KnownDevice['batteriesSeen'], shown: Partial<CloudDevice> = {}) => {
    const device = cloudDevice({
      batteryPercent: 20,
      isCharging: false,
      updateTime: at(-5).toISOString(),
      ...shown,
    });
    return batteryNews([device], new Map([['D', knownDevice({ batteriesSeen: seen })]]), at(0));
  };
  const SEEN: KnownDevice['batteriesSeen'][number] = [[NOW - 60_000, 2000, -1]];

  it('are as of when the device was written, and as of now where nothing was seen', () => {
    expect(news([SEEN], { batteryPercent: 19 })).to.deep.equal([[1, NOW - 5_000, 19, false]]);
    for (const seen of [[], null]) expect(news([SEEN, seen])).to.deep.equal([[1, NOW, 20, false]]);
    for (const updateTime of ['u1', at(9).toISOString()])
      expect(news([SEEN], { batteryPercent: 19, updateTime })).to.deep.equal([[1, NOW, 19, false]]);
  });

  it('are none where no alert watches, all have seen it, it is unknown or older than what was seen', () => {
    expect(news([])).to.deep.equal([]);
    expect(news([SEEN, SEEN])).to.deep.equal([]);
    expect(news([[]], { batteryPercent: null })).to.deep.equal([]);
    expect(news([[[NOW, 2100, -1]]])).to.deep.equal([]);
    const bare = new Map([['D', knownDevice({ batteriesSeen: [[]], probes: [] })]]);
    expect(batteryNews([cloudDevice({ batteryPercent: 20 })], bare, at(0))).to.deep.equal([]);
  });

  it('come with the readings of a job, else alone in one', () => {
    const batteries: JobBattery[] = [[1, NOW, 20, null]];
    const poll = { account: 7, previousPollMs: NOW, failedBetween: false };
    const [alone, ...none] = toJobs(poll, [], batteries);
    expect([alone, none]).to.deep.equal([{ version: 1, ...poll, probes: [], batteries }, []]);
    expect(JOB_SCHEMAS.readings.safeParse(alone).success).to.equal(true);
    const probe: ProbeNews = { device: 1, probe: 1, samples: [[NOW, 70, 'F', 0]] };
    expect(toJobs(poll, [probe], batteries)).to.deep.equal([
      { version: 1, ...poll, probes: [probe], batteries },
    ]);
  });
});

describe('poll: jobs', () => {
  const POLL = { account: 7, previousPollMs: NOW, failedBetween: false };
  const news = (probe: number, count: number): ProbeNews => ({
    device: 1,
    probe,
    samples: Array.from({ length: count }, (_, index) => [NOW + index, 70, 'F', 0]),
  });
  it('is one for all that is new', () => {
    const jobs = toJobs(POLL, [news(1, 10), news(2, 1), news(3, 10)]);
    expect(jobs.map(({ version, account, probes }) => [version, account, probes.length])).to.deep.equal([
      [1, 7, 3],
    ]);
    expect(toJobs(POLL, [])).to.deep.equal([]);
  });
  it('is another one above 2,000 samples', () => {
    const all = Array.from({ length: 205 }, (_, index) => news(index + 1, 10));
    const jobs = toJobs(POLL, all);
    expect(jobs.map(({ probes }) => probes.length)).to.deep.equal([200, 5]);
    expect(jobs.flatMap(({ probes }) => probes)).to.deep.equal(all);
  });
  it('is as many as the readings of one probe need', () => {
    const all = news(1, 4_500);
    const jobs = toJobs(POLL, [news(2, 1), all]);
    expect(jobs.map(({ probes }) => probes.map(({ samples }) => samples.length))).to.deep.equal([
      [1],
      [2000],
      [2000],
      [500],
    ]);
    expect(jobs.slice(1).flatMap(({ probes }) => probes.flatMap(({ samples }) => samples))).to.deep.equal(
      all.samples,
    );
    for (const job of jobs) expect(JOB_SCHEMAS.readings.safeParse(job).success).to.equal(true);
  });
});
