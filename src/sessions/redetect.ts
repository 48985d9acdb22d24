import type { Observation } from '../readings/observation.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import { closeDraft, type DeviceWorld, openDraft, REOPEN_MS, step } from './detection.js';
import type { Absences, DetectionState } from './detection-state.js';
import { type Draft, isOpen, setTrack } from './draft.js';
import { disarmed } from './probe-track.js';
import { mayJoin } from './roles.js';
import { isHeeded } from './seen.js';
import type { Session, SessionEvent } from './types.js';

/** So long idle and cold, a device has forgotten all that was before: two turns of its baseline, and a margin. */
export const REST_MS = 7 * 3_600_000;
/** Hundredths of 1 °C: from here on a reading may make its probe a candidate, or disarm it. */
const WARM = 3000;
/** No start is set back further. */
const RECENT_MS = 4 * 3_600_000;

/** Something that is no stored reading, and when it was. */
interface Mark {
  atMs: number;
  /** 0: no probe of its own. */
  probeId: number;
  apply: (run: Redetection) => void;
}

export interface RedetectionOptions {
  /** What it goes on from; of a device that nothing is known of: the device. */
  world: DeviceWorld;
  fromMs: number;
  /**
   * The last reading of each probe before `fromMs`, by time, where the world does not know of them; and whether what it
   * may have been part of was over by then.
   */
  past?: readonly (Observation & { isOver: boolean })[];
  /** Stored readings from a time on, where those before `fromMs` count: without it the world has no open session. */
  rowsFrom?: (ms: number) => Observation[];
  /** Sessions that `isFixed`: they run from their start to their end, whatever the readings say. */
  fixed?: readonly Session[];
  absences: Absences;
  newId: () => string;
}

/** What a device's readings in order of time give: the reducer of live detection, run over a past stretch. */
export class Redetection {
  private readonly draft: Draft;
  private readonly marks: Mark[];
  private nextMark = 0;
  private readonly closed: Session[] = [];
  private readonly lidEvents: SessionEvent[] = [];
  private recent: Observation[] = [];
  /** Of the automatic session that runs: each probe's first reading in it. */
  private firsts = new Map<number, number>();
  private firstsOf: string | undefined;
  /** The start that was made of them. */
  private exactMs = 0;
  private settled: readonly Session[];
  private readonly seen = new Set<number>();
  private readonly warmBefore = new Set<number>();
  private hasPast = false;
  /** Of the last thing that a device at rest does not do. */
  private busyMs: number;
  /** It began where it had not forgotten what was before: it must begin earlier. */
  isDoubtful = false;

  constructor(private readonly options: RedetectionOptions) {
    const { world, fromMs, past = [], fixed = [], absences } = options;
    this.draft = openDraft(world);
    this.settled = this.draft.sessions;
    this.busyMs = fromMs;
    for (const { isOver, ...observation } of past) this.begins(observation, isOver);
    this.marks = marksOf(fixed, absences, past);
  }

  /** The next stored reading, by time and then by probe. */
  take(observation: Observation): void {
    const { measuredAtMs: atMs, probeId } = observation;
    this.markUntil(atMs, probeId);
    if (!isHeeded(observation)) return;
    if (isWarm(observation) && this.isWatched(probeId)) this.noteWarm(probeId, atMs);
    this.seen.add(probeId);
    this.keepRecent(observation);
    if (!this.firsts.has(probeId)) this.firsts.set(probeId, atMs);
    step(this.draft, observation, this.options.newId);
    this.settle();
    if (this.draft.cook) this.busyMs = atMs;
  }

  /**
   * Whether all before `atMs` is forgotten there, when nothing more comes before it. A probe that was last heard of in
   * the stretch, both ends included, is not forgotten.
   */
  isAtRest(atMs: number, { fromMs, toMs }: { fromMs: number; toMs: number }): boolean {
    if (atMs - this.busyMs < REST_MS) return false;
    this.passTo(atMs - 1);
    const { probes, sessions, cook } = this.draft;
    if (sessions.some(isOpen)) return false;
    const lost = cook && sessions.find(({ publicId }) => publicId === cook.session);
    if (lost?.endMs) this.busyMs = Math.max(this.busyMs, lost.endMs + REOPEN_MS);
    for (const [id, { value = 0, lastMs }] of Object.entries(probes)) {
      if (value >= WARM && this.isWatched(Number(id))) return false;
      if (lastMs >= fromMs && lastMs <= toMs) return false;
    }
    return atMs - this.busyMs >= REST_MS;
  }

  /** All that was found when the clock has come to `nowMs` and nothing more is stored until then. */
  end(nowMs: number): { sessions: Session[]; detection: DetectionState; lids: SessionEvent[] } {
    this.passTo(nowMs);
    const { detection, sessions } = closeDraft(this.draft, this.options.world);
    const found = [...this.closed, ...sessions].filter((one) => !this.isFixedHere(one));
    return { sessions: found, detection, lids: this.lidEvents };
  }

  /** What a probe showed last before. While it was warm it was in a cook: it is disarmed now. */
  private begins(observation: Observation, isOver: boolean): void {
    const { probeId } = observation;
    this.hasPast = true;
    step(this.draft, observation, this.options.newId);
    if (!isWarm(observation) || !this.isWatched(probeId)) return;
    this.warmBefore.add(probeId);
    this.isDoubtful ||= !isOver;
    const track = this.draft.probes[probeId];
    if (track) setTrack(this.draft, probeId, disarmed(track));
  }

  private isWatched(probeId: number): boolean {
    const { device } = this.options.world;
    const probe = device.probes.find(({ id }) => id === probeId);
    return probe !== undefined && mayJoin(device, probe);
  }

  private noteWarm(probeId: number, atMs: number): void {
    this.busyMs = atMs;
    const isEarly = atMs < this.options.fromMs + REST_MS && this.hasPast;
    if (isEarly || (!this.seen.has(probeId) && this.warmBefore.has(probeId))) this.isDoubtful = true;
  }

  /** Time goes by: timers run out, and what is no reading happens. */
  private passTo(atMs: number): void {
    this.markUntil(atMs, Number.POSITIVE_INFINITY);
    this.tick(atMs);
  }

  private tick(nowMs: number): void {
    step(this.draft, { nowMs }, this.options.newId);
    this.settle();
  }

  private markUntil(atMs: number, probeId: number): void {
    for (let mark = this.marks[this.nextMark]; mark; mark = this.marks[this.nextMark]) {
      if (mark.atMs > atMs || (mark.atMs === atMs && mark.probeId > probeId)) return;
      this.nextMark += 1;
      const isContradicted = mark.atMs === atMs && mark.probeId === probeId;
      if (!isContradicted) mark.apply(this);
    }
  }

  showNothing(probeId: number, measuredAtMs: number): void {
    const absence = { probeId, measuredAtMs, hundredths: null, unit: 'C', flags: 0 } as const;
    step(this.draft, absence, this.options.newId);
    this.settle();
  }

  /** A fixed session begins; an automatic one that runs with a probe of it was the same cook. */
  begin(fixed: Session): void {
    this.tick(fixed.startMs);
    const isOther = (one: Session) => !isOpen(one) || this.isFixedHere(one) || !sharesProbe(one, fixed);
    const running = { ...AS_FIXED, status: 'active', phase: 'active', endMs: null, endReason: null } as const;
    this.draft.sessions = [...this.draft.sessions.filter(isOther), { ...fixed, ...running }];
    this.tick(fixed.startMs);
  }

  finish(fixed: Session, atMs: number): void {
    this.tick(atMs);
    const over = { ...fixed, ...AS_FIXED };
    this.draft.sessions = this.draft.sessions.map((one) => (one.publicId === fixed.publicId ? over : one));
    this.tick(atMs);
    this.busyMs = atMs;
  }

  private isFixedHere({ publicId }: Session): boolean {
    return this.options.fixed?.some((one) => one.publicId === publicId) ?? false;
  }

  private keepRecent(observation: Observation): void {
    const { recent } = this;
    recent.push(observation);
    const middle = recent.length >> 1;
    const isOld = (recent[middle]?.measuredAtMs ?? 0) < observation.measuredAtMs - RECENT_MS;
    if (recent.length > 1000 && isOld) this.recent = recent.slice(middle);
  }

  /** As live ingest leaves the device after each reading: starts exact to the reading, nothing kept of what is over. */
  private settle(): void {
    const { draft } = this;
    if (draft.sessions === this.settled && draft.events.length === 0) return;
    for (const event of draft.events) {
      if (event.lid) this.lidEvents.push(event);
    }
    draft.events.length = 0;
    const exact = draft.sessions.map((one) => (one.rebuild ? this.exact(one) : one));
    const isNeeded = (one: Session) => isOpen(one) || one.publicId === draft.cook?.session;
    for (const one of exact) if (!isNeeded(one)) this.closed.push(one);
    draft.sessions = exact.filter(isNeeded);
    this.settled = draft.sessions;
  }

  private noteFirsts({ publicId, startMs }: Session): void {
    const rows = this.options.rowsFrom?.(startMs) ?? this.recent;
    const counted = rows.filter((row) => row.measuredAtMs >= startMs && isHeeded(row));
    this.firsts = new Map(counted.reverse().map(({ probeId, measuredAtMs }) => [probeId, measuredAtMs]));
    this.firstsOf = publicId;
  }

  /** As {@link exactStartMs}, without the session's readings. */
  private exact(session: Session): Session {
    const { publicId, startMs, members, startedBy } = session;
    if (this.firstsOf !== publicId || startMs > this.exactMs) this.noteFirsts(session);
    const times = members.flatMap(({ probeId }) => this.firsts.get(probeId) ?? []);
    const ofStarterMs = startedBy === undefined ? undefined : this.firsts.get(startedBy);
    const firstMs = ofStarterMs ?? (times.length > 0 ? Math.min(...times) : startMs);
    this.exactMs = Math.max(startMs, firstMs);
    return { ...session, startMs: this.exactMs, rebuild: false };
  }
}

const AS_FIXED = { sessionType: 'manual', rebuild: false } as const;

export function sharesProbe(one: Session, other: Session): boolean {
  return one.members.some(({ probeId }) => other.members.some((member) => member.probeId === probeId));
}

function isWarm({ hundredths, unit }: Observation): boolean {
  return hundredths !== null && isTemperature(unit) && convertHundredths(hundredths, unit, 'C') >= WARM;
}

function marksOf(fixed: readonly Session[], absences: Absences, past: readonly Observation[]): Mark[] {
  const lastMs = new Map(past.map(({ probeId, measuredAtMs }) => [probeId, measuredAtMs]));
  const marks: Mark[] = fixed.flatMap((session) => {
    const { startMs, endMs } = session;
    const begin: Mark = { atMs: startMs, probeId: 0, apply: (run) => run.begin(session) };
    if (endMs === null) return [begin];
    const over = { atMs: endMs + 1, probeId: 0, apply: (run: Redetection) => run.finish(session, endMs + 1) };
    return [begin, over];
  });
  for (const [id, times] of Object.entries(absences)) {
    const probeId = Number(id);
    for (const atMs of times.filter((ms) => ms > (lastMs.get(probeId) ?? 0)))
      marks.push({ atMs, probeId, apply: (run) => run.showNothing(probeId, atMs) });
  }
  return marks.sort((a, b) => a.atMs - b.atMs || a.probeId - b.probeId);
}
