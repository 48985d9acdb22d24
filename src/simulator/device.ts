import { type DeviceSpec, deviceSpec, type Place, type ProbeSpec, serialOf } from './kinds.js';
import { fraction } from './random.js';
import { encodeFields, type Fields, hundredths, type Value } from './value.js';

/** One sample. `value` as the document shows it: null is written, undefined leaves the field out, NaN is "NaN". */
export interface Recording {
  at: number;
  value: number | null | undefined;
  unit: string;
  /** Default: HIGH above the alarm, else NORMAL. */
  status?: string | undefined;
}

/** Field values laid over a document; null takes the field away. */
export type Patch = Record<string, Value | null>;

export const applyPatch = (fields: Fields, patch: Patch): Fields => {
  const patched: Fields = {};
  for (const [name, value] of Object.entries({ ...fields, ...patch })) if (value) patched[name] = value;
  return patched;
};

/** What a fault makes of the next recordings; `last` is the newest finite one. Undefined: no write at all. */
export const PROBE_FAULTS: Record<string, (now: Recording, last?: Recording) => Recording | undefined> = {
  absent: (now) => ({ ...now, value: undefined }),
  null: (now) => ({ ...now, value: null }),
  nan: (now) => ({ ...now, value: Number.NaN }),
  no_probe: (now, last) => ({ ...now, value: last?.value, status: 'NO PROBE' }),
  offline: (now, last) => ({ ...now, value: last?.value, status: 'OFFLINE' }),
  unplugged: (now) => ({ ...now, value: null, status: 'NO PROBE' }),
  frozen: (now, last) => ({ ...now, value: last?.value }),
  celsius: (now) => ({ ...now, unit: 'C', value: Math.round((((now.value ?? 32) - 32) / 1.8) * 10) / 10 }),
  stopped: () => undefined,
};

export interface Probe {
  spec: ProbeSpec;
  current?: Recording;
  /** The ten newest finite recordings that were published, newest first. */
  recent: Recording[];
  /** Scripted recordings that are not published yet. */
  pending: Recording[];
  /** Number of the last recording, counted in recording intervals since 1970. */
  recorded: number;
  updatedMicros: number;
  fault?: string | undefined;
  patch: Patch;
}

const RECENT = 10;

/** One device and its probes. Nothing ticks: {@link advance} computes what happened until now. */
export class Device {
  readonly id: string;
  readonly probes: Map<string, Probe>;
  updatedMicros: number;
  patch: Patch = {};
  fault: 'off' | 'removed' | undefined;
  /** True: no recordings but scripted ones. */
  manual = false;
  private readonly spec: DeviceSpec;
  private readonly offsetMs: number;
  private readonly latencyMs: number;
  /** The last transmission that was due, made or not. */
  private transmitted = 0;
  private heardAt = 0;
  private telemetryAt = 0;

  /** @param deviceDelayMs the device is written so much later than its channels (negative: earlier) */
  constructor(
    private readonly place: Place,
    private readonly accountId: string,
    private readonly startMs: number,
    private readonly deviceDelayMs: number,
  ) {
    this.id = serialOf(place);
    this.spec = deviceSpec(place);
    // RFX probes tell milliseconds, the others whole seconds.
    const offsetMs = Math.floor(fraction(place.seed, this.id) * this.spec.recordSeconds * 1000);
    this.offsetMs = this.spec.facts.type === 'rfx' ? offsetMs : offsetMs - (offsetMs % 1000);
    this.latencyMs = 200 + Math.floor(fraction(this.id, 'latency') * 500);
    this.updatedMicros = this.createdMicros;
    this.probes = new Map(
      this.spec.probes.map((spec) => [
        spec.id,
        { spec, recent: [], pending: [], recorded: 0, updatedMicros: this.createdMicros, patch: {} },
      ]),
    );
  }

  get createdMicros(): number {
    return (this.startMs - 90 * 86_400_000) * 1000 + 123_456;
  }

  /** Makes every recording and every document write that is due at `nowMs`, in order. */
  advance(nowMs: number): void {
    const channelsLatencyMs = this.latencyMs + Math.max(0, -this.deviceDelayMs);
    for (const probe of this.probes.values())
      this.record(probe, this.transmittedAt(nowMs, channelsLatencyMs));

    const deviceLatencyMs = this.latencyMs + Math.max(0, this.deviceDelayMs);
    const heardAt = this.transmittedAt(nowMs, deviceLatencyMs);
    if (heardAt <= this.transmitted) return;
    this.transmitted = heardAt;
    if (this.manual || this.fault) return;
    this.heardAt = heardAt;
    this.telemetryAt = heardAt;
    this.touch(this, heardAt + deviceLatencyMs);
  }

  /** Takes scripted recordings; `publish` shows them in the channel, `touchDevice` in the device. */
  script(
    probe: Probe,
    readings: Recording[],
    { publish, touchDevice, nowMs }: { publish: boolean; touchDevice: boolean; nowMs: number },
  ): void {
    probe.pending.push(...readings);
    const telemetryAt = Math.max(0, ...probe.pending.map(({ at }) => at));
    if (publish) {
      for (const recording of probe.pending.splice(0)) this.show(probe, recording);
      this.touch(probe, nowMs);
    }
    if (!touchDevice) return;
    this.heardAt = nowMs;
    this.telemetryAt = Math.max(this.telemetryAt, telemetryAt);
    this.touch(this, nowMs);
  }

  /** A write moves `updateTime`, by a microsecond at least. */
  touch(document: { updatedMicros: number }, nowMs: number): void {
    const micros = nowMs * 1000 + Math.floor(fraction(nowMs) * 1000);
    document.updatedMicros = Math.max(document.updatedMicros + 1, micros);
  }

  fields(): Fields {
    const { facts, recordSeconds, transmitSeconds } = this.spec;
    const isRfx = facts.type === 'rfx';
    const telemetryAt = this.telemetryAt > 0 ? new Date(this.telemetryAt) : undefined;
    const fields = encodeFields({
      ...facts,
      serial: this.id,
      deviceId: isRfx ? undefined : this.id,
      accountId: this.accountId,
      status: 'NORMAL',
      battery: 95 - (Math.floor((this.heardAt - this.startMs) / 7_200_000) % 80),
      batteryState: 'discharging',
      lastSeen: new Date(this.heardAt + this.latencyMs),
      lastTelemetrySaved: isRfx ? undefined : telemetryAt,
      latestReading: facts.type === 'datalogger' ? undefined : telemetryAt,
      sessionStart: isRfx ? undefined : new Date(this.startMs - 30 * 86_400_000),
      // What an RFX device states says nothing about when it reports.
      transmitIntervalInSeconds: isRfx ? 60 : transmitSeconds,
      recordingIntervalInSeconds: isRfx ? 0 : recordSeconds,
      bigQuery: { datasetId: this.accountId, tableId: this.id.replaceAll(':', '_') },
      exportVersion: 0.5,
    });
    return applyPatch(fields, this.patch);
  }

  probeFields({ spec, current, recent, updatedMicros, patch }: Probe): Fields {
    const units = current?.unit ?? spec.unit;
    const high =
      spec.alarmHigh !== undefined && units === spec.unit && (current?.value ?? 0) > spec.alarmHigh;
    const alarm = { units: units === 'H' ? 'F' : units, value: spec.alarmHigh ?? 250 };
    const byValue = recent.toSorted((a, b) => Number(a.value) - Number(b.value));
    const fields = encodeFields({
      // Some documents leave it out: the id says it.
      number: spec.type === 'rfx meat sensor' && spec.id === '4' ? undefined : spec.id,
      label: spec.label,
      type: spec.type,
      units,
      value: current ? current.value : null,
      status: current ? (current.status ?? (high ? 'HIGH' : 'NORMAL')) : 'NO PROBE',
      lastTelemetrySaved: current && new Date(current.at),
      lastSeen: current && new Date(Math.floor(updatedMicros / 1000) - 80),
      alarmHigh: { ...alarm, enabled: spec.alarmHigh !== undefined, alarming: high },
      alarmLow: { ...alarm, enabled: false, alarming: false, value: 32 },
      minimum: extreme(byValue[0]),
      maximum: extreme(byValue.at(-1)),
      enabled: spec.type === 'Pro-Series' ? true : undefined,
      color: 'none',
      recentReadings: spec.type === 'rfx air' ? undefined : recent.map(recentEntry),
    });
    return applyPatch(fields, patch);
  }

  private transmittedAt(nowMs: number, latencyMs: number): number {
    const transmitMs = this.spec.transmitSeconds * 1000;
    return Math.floor((nowMs - latencyMs - this.offsetMs) / transmitMs) * transmitMs + this.offsetMs;
  }

  /** Records up to `until` and publishes. After a long silence only the recordings that can still be seen. */
  private record(probe: Probe, until: number): void {
    const recordMs = this.spec.recordSeconds * 1000;
    const last = Math.floor((until - this.offsetMs) / recordMs);
    const first = Math.max(probe.recorded + 1, last - RECENT + 1);
    if (!probe.spec.curve || last < first) return;
    probe.recorded = last;
    if (this.manual || this.fault || probe.fault === 'stopped') return;
    const bend = PROBE_FAULTS[probe.fault ?? ''] ?? ((recording: Recording) => recording);
    for (let index = first; index <= last; index += 1) {
      const at = index * recordMs + this.offsetMs;
      const recording = bend(
        { at, value: this.sample(probe.spec, at), unit: probe.spec.unit },
        probe.recent[0],
      );
      if (recording) this.show(probe, recording);
    }
    this.touch(probe, until + this.latencyMs + Math.max(0, -this.deviceDelayMs));
  }

  private sample({ id, unit, curve }: ProbeSpec, at: number): number {
    const noise = (fraction(this.place.seed, this.id, id, at) - 0.5) * 0.2;
    const exact = (curve?.((at - this.startMs) / 1000) ?? 0) + noise;
    if (unit === 'H') return Math.round(exact * 100) / 100;
    return Math.round((unit === 'C' ? (exact - 32) / 1.8 : exact) * 10) / 10;
  }

  private show(probe: Probe, recording: Recording): void {
    probe.current = recording;
    const { value, status = '' } = recording;
    if (typeof value !== 'number' || !Number.isFinite(value) || /no probe|offline/i.test(status)) return;
    probe.recent = [recording, ...probe.recent].toSorted((a, b) => b.at - a.at).slice(0, RECENT);
  }
}

const extreme = (recording: Recording | undefined) =>
  recording && {
    reading: { value: recording.value, units: recording.unit },
    dateReading: new Date(recording.at),
  };

/** `v` is decimal text; `ts` is now a timestamp, now text. */
const recentEntry = ({ at, value, unit }: Recording) => ({
  v: hundredths(Math.fround(value ?? 0)).toFixed(3),
  ts: fraction(at) < 0.5 ? new Date(at) : new Date(at).toISOString(),
  u: unit,
});
