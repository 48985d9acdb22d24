import type { Archive } from './archive.js';
import { type DeviceSpec, deviceSpec, type Place, type ProbeSpec, serialOf } from './kinds.js';
import { fraction, hex } from './random.js';
import { applyPatch, isMeasured, type Patch, PROBE_FAULTS, type Probe, type Recording } from './recording.js';
import { encodeFields, type Fields } from './value.js';

const RECENT = 10;
const DAY_MS = 86_400_000;
/** An archive is there so long after the recording ended: by then a logger has sent all of it. */
const CUT_AFTER_MS = 600_000;

const asItIs = (recording: Recording): Recording => recording;

/** One device and its probes. Nothing ticks: {@link advance} computes what happened until now. */
export class Device {
  readonly id: string;
  readonly probes: Map<string, Probe>;
  updatedMicros: number;
  patch: Patch = {};
  fault: 'off' | 'removed' | undefined;
  /** True: no recordings but scripted ones. */
  manual = false;
  /** Closed recordings, by the time of closing. */
  readonly archives: Archive[] = [];
  /** So often a recording closes by itself; 0: never. */
  archiveEveryMs: number;
  private readonly spec: DeviceSpec;
  private readonly offsetMs: number;
  private readonly latencyMs: number;
  /** The last transmission that was due, made or not. */
  private transmitted = 0;
  private heardAt = 0;
  private telemetryAt = 0;
  /** Where the running recording began. */
  private openedAt: number;

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
        {
          spec,
          recent: [],
          pending: [],
          scripted: [],
          modes: [],
          recorded: 0,
          updatedMicros: this.createdMicros,
          patch: {},
        },
      ]),
    );
    this.archiveEveryMs = this.spec.facts.type === 'datalogger' ? DAY_MS : 0;
    this.openedAt = startMs;
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
    if (heardAt > this.transmitted) {
      this.transmitted = heardAt;
      if (!this.manual && !this.fault) {
        this.heardAt = heardAt;
        this.telemetryAt = heardAt;
        this.touch(this, heardAt + deviceLatencyMs);
      }
    }
    while (this.archiveEveryMs > 0 && nowMs >= this.openedAt + this.archiveEveryMs + CUT_AFTER_MS) {
      const endMs = this.openedAt + this.archiveEveryMs;
      const createdMs = endMs + CUT_AFTER_MS;
      this.close({ type: 'auto', startMs: this.openedAt, endMs, createdMs });
      this.updatedMicros = Math.max(this.updatedMicros, createdMs * 1000);
    }
  }

  /** Ends the running recording, by hand: it becomes an archive. */
  closeNow(nowMs: number, { startMs = this.openedAt, endMs = nowMs, createdMs = nowMs, type = 'manual' }) {
    const archive = this.close({ type, startMs, endMs, createdMs });
    this.touch(this, nowMs);
    return archive;
  }

  private close(closed: Pick<Archive, 'type' | 'startMs' | 'endMs' | 'createdMs'>): Archive {
    const id = `arc${hex(17, this.place.seed, this.id, this.archives.length)}`;
    const probes = [...this.probes.values()];
    const count = probes.reduce((sum, probe) => sum + this.history(probe, closed).length, 0);
    const archive = { ...closed, id, count, filename: `archives/${this.id}/${id}.json` };
    this.archives.push(archive);
    this.openedAt = Math.max(this.openedAt, closed.endMs);
    return archive;
  }

  /** Takes scripted recordings; `publish` shows them in the channel, `touchDevice` in the device. */
  script(
    probe: Probe,
    readings: Recording[],
    { publish, touchDevice, nowMs }: { publish: boolean; touchDevice: boolean; nowMs: number },
  ): void {
    probe.pending.push(...readings);
    probe.scripted.push(...readings);
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
    const lastArchive = this.archives.at(-1);
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
      sessionStart: isRfx
        ? undefined
        : new Date(this.archives.length > 0 ? this.openedAt : this.startMs - 30 * DAY_MS),
      lastArchive: lastArchive && new Date(lastArchive.createdMs),
      // What an RFX device states says nothing about when it reports.
      transmitIntervalInSeconds: isRfx ? 60 : transmitSeconds,
      recordingIntervalInSeconds: isRfx ? 0 : recordSeconds,
      bigQuery: { datasetId: this.accountId, tableId: this.id.replaceAll(':', '_') },
      exportVersion: 0.5,
    });
    return applyPatch(fields, this.patch);
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
    const mode = this.manual || this.fault ? 'stopped' : (probe.fault ?? 'ok');
    if (mode !== (probe.modes.at(-1)?.mode ?? 'ok'))
      probe.modes.push({ from: probe.recorded + 1, mode, last: probe.recent[0] });
    probe.recorded = last;
    if (mode === 'stopped') return;
    const bend = PROBE_FAULTS[mode] ?? asItIs;
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

  /**
   * What it measured in a stretch of time and has sent, by time: also what no document showed.
   * @param everyMs what it would have measured at this interval instead
   */
  history(
    probe: Probe,
    { startMs, endMs }: { startMs: number; endMs: number },
    everyMs?: number,
  ): Recording[] {
    const stepMs = everyMs ?? this.spec.recordSeconds * 1000;
    const offsetMs = everyMs === undefined ? this.offsetMs : startMs;
    const end = Math.floor((endMs - offsetMs) / stepMs);
    const last = everyMs === undefined ? Math.min(end, probe.recorded) : end;
    const made: Recording[] = [];
    for (
      let index = Math.ceil((startMs - offsetMs) / stepMs);
      probe.spec.curve && index <= last;
      index += 1
    ) {
      const { mode = 'ok', last: before } = probe.modes.findLast(({ from }) => from <= index) ?? {};
      const at = index * stepMs + offsetMs;
      const plain = { at, value: this.sample(probe.spec, at), unit: probe.spec.unit };
      const recording = (PROBE_FAULTS[mode] ?? asItIs)(plain, made.at(-1) ?? before);
      if (recording && isMeasured(recording)) made.push(recording);
    }
    const scripted = probe.scripted.filter((one) => isMeasured(one) && one.at >= startMs && one.at <= endMs);
    return scripted.length === 0 ? made : [...made, ...scripted].sort((a, b) => a.at - b.at);
  }

  private sample({ id, unit, curve }: ProbeSpec, at: number): number {
    const noise = (fraction(this.place.seed, this.id, id, at) - 0.5) * 0.2;
    const exact = (curve?.((at - this.startMs) / 1000) ?? 0) + noise;
    if (unit === 'H') return Math.round(exact * 100) / 100;
    return Math.round((unit === 'C' ? (exact - 32) / 1.8 : exact) * 10) / 10;
  }

  private show(probe: Probe, recording: Recording): void {
    probe.current = recording;
    if (!isMeasured(recording)) return;
    probe.recent = [recording, ...probe.recent].toSorted((a, b) => b.at - a.at).slice(0, RECENT);
  }
}
