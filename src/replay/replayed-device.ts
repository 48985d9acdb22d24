import type { BatterySight } from '../alerts/battery.js';
import { hasPast, PIECE, replayLate } from '../alerts/late.js';
import { fold } from '../ingest/fold.js';
import { NO_POLL } from '../ingest/gather.js';
import { lateProbe } from '../ingest/late.js';
import { lateIn, withAbsences } from '../ingest/late-inputs.js';
import { alertsDueMs } from '../ingest/missed.js';
import type { FoldResult, IngestWorld, Input, ProbeSight } from '../ingest/types.js';
import type { Observation } from '../readings/observation.js';
import { type ProbeRole, UNTRUSTED } from '../readings/sample.js';
import { REOPEN_MS } from '../sessions/detection.js';
import { isOpen } from '../sessions/draft.js';
import { countsIn, exactStartMs, rebuildRollUps } from '../sessions/roll-up.js';
import { seenUntilMs } from '../sessions/seen.js';
import type { Session } from '../sessions/types.js';
import { Firings } from './firings.js';
import { KeptReadings } from './kept-readings.js';
import { ReplayedPast } from './replayed-past.js';

const LOOKS = 2;

/** What there is after an arrival or a moment (epoch ms). */
export type Seen = (atMs: number, world: IngestWorld) => void;

/** One device through the fold of live ingest, with memory in place of the tables: each arrival is a job of its own. */
export class ReplayedDevice {
  readonly transitions: FoldResult['transitions'] = [];
  readonly readings = new KeptReadings();
  readonly firings = new Firings();
  /** Those that nothing can touch any more. */
  private closed: readonly Session[] = [];
  /** What detection should have seen before, and that nothing in order followed yet. */
  private readonly behind: ProbeSight[] = [];
  private readonly past = new ReplayedPast(this.readings);
  /** Times of late readings that only late ones followed, by probe: what they add is looked for together. */
  private readonly late = new Map<number, number[]>();
  private began = 0;
  private readonly newId = (): string => `${++this.began}`;

  /**
   * @param world before its first reading
   * @param options `isLookedAt`: whether timers run at a moment (epoch ms): whoever does not look misses nothing;
   *   `seen` is told of every step
   */
  constructor(
    private world: IngestWorld,
    private readonly options: { isLookedAt?: (ms: number) => boolean; seen?: Seen } = {},
  ) {}

  /** What arrived next: a value for a time that has one is a repetition, and the first is kept. */
  take({ probeId, measuredAtMs, hundredths, unit, flags }: Observation): void {
    const isValue = hundredths !== null;
    const condition = isValue ? ('ok' as const) : ('absent' as const);
    const input = { probeId, measuredAtMs, hundredths, unit, flags, condition, poll: NO_POLL };
    if (isValue && !this.readings.insertNew(input)) return;
    if (!isValue) this.past.noteAbsence(input);
    const seenMs = seenUntilMs(this.world.sessions);
    if (lateIn(this.world, [input], { seenMs, notBeforeMs: 0 }).length > 0) this.behind.push(input);
    else {
      this.catchUp();
      this.arrive(input);
    }
  }

  private arrive(input: ProbeSight): void {
    const { probeId, measuredAtMs, hundredths, flags } = input;
    const isLate = measuredAtMs <= (this.world.probes.get(probeId)?.lastMs ?? 0);
    if (!isLate) this.lookBack();
    this.runTimers(measuredAtMs - 1);
    this.work(input, measuredAtMs);
    if (hundredths === null || !isLate || flags & UNTRUSTED) return;
    const times = this.late.get(probeId) ?? [];
    this.late.set(probeId, times);
    times.push(measuredAtMs);
  }

  /** Detection sees what came out of order as if it had come in order; then it is taken in as a batch of live ingest. */
  private catchUp(): void {
    const behind = this.behind
      .splice(0)
      .sort((a, b) => a.measuredAtMs - b.measuredAtMs || a.probeId - b.probeId);
    const [first] = behind;
    if (first) {
      const known = withAbsences(this.world.sessions, behind);
      const { world, closed } = this.past.redetect(known, first.measuredAtMs, this.newId);
      this.world = { ...this.world, sessions: world };
      this.closed = closed;
    }
    for (const input of behind) this.arrive(input);
  }

  private lookBack(): void {
    for (const [probeId, times] of this.late)
      this.lookBackAt(
        probeId,
        times.sort((a, b) => a - b),
      );
    this.late.clear();
  }

  /** As live ingest does with late readings. */
  private lookBackAt(probeId: number, lateMs: readonly number[]): void {
    const rules = (this.world.alerts.get(probeId) ?? []).map(({ rule }) => rule).filter(hasPast);
    if (rules.length === 0) return;
    const alerts = rules.map((rule) => ({ rule, judgedAfterMs: 0, recorded: this.firings.of(rule.id) }));
    const sessions = [...this.closed, ...this.world.sessions.sessions];
    const run = replayLate(alerts, lateMs, lateProbe(this.world, probeId, sessions));
    let asked = run.next();
    while (!asked.done) asked = run.next(this.readings.following(probeId, asked.value, PIECE));
    for (const change of asked.value) this.firings.change(change);
  }

  /** The device says so of its battery. */
  drain(sight: BatterySight): void {
    this.catchUp();
    this.lookBack();
    this.runTimers(sight.measuredAtMs - 1);
    this.work(sight, sight.measuredAtMs);
  }

  /** The user says what a probe (`probes.id`) is for. */
  setRole(probeId: number, role: ProbeRole): void {
    this.catchUp();
    this.lookBack();
    const { sessions } = this.world;
    const probes = sessions.device.probes.map((probe) => (probe.id === probeId ? { ...probe, role } : probe));
    this.world = { ...this.world, sessions: { ...sessions, device: { ...sessions.device, probes } } };
  }

  /** Lets the timers run until `nowMs`, when nothing more arrives. @returns all sessions with their figures, by their start */
  end(nowMs: number): Session[] {
    this.catchUp();
    this.lookBack();
    this.runTimers(nowMs);
    this.work({ nowMs }, nowMs);
    return [...this.closed, ...this.world.sessions.sessions]
      .map((session) => rebuildRollUps(session, this.rowsOf(session)))
      .toSorted((a, b) => a.startMs - b.startMs);
  }

  /** Alerts have timers, which look twice at each moment before they say that nothing was heard. */
  private runTimers(untilMs: number): void {
    for (let [lastMs, looks] = [0, 0]; ; ) {
      const dueMs = alertsDueMs(this.world);
      if (dueMs === null || dueMs > untilMs || this.options.isLookedAt?.(dueMs) === false) return;
      looks = dueMs === lastMs ? looks + 1 : 1;
      if (looks > LOOKS) return;
      lastMs = dueMs;
      this.work({ nowMs: dueMs }, dueMs);
    }
  }

  private work(input: Input, atMs: number): void {
    this.close(atMs);
    const folded = fold(this.world, [input], this.newId);
    this.transitions.push(...folded.transitions);
    for (const transition of folded.transitions) this.firings.take(transition);
    this.world = folded.world;
    if (folded.sessionEvents.length > 0) this.settle(folded);
    if ('probeId' in input) this.past.note(this.world.sessions, this.closed);
    this.options.seen?.(atMs, this.world);
  }

  /** As live ingest loads sessions: those that run, and the one that may reopen. */
  private close(atMs: number): void {
    const { sessions } = this.world;
    if (sessions.sessions.every(isOpen)) return;
    const isLoaded = (session: Session) =>
      isOpen(session) ||
      (session.endReason === 'lost_contact' && (session.endMs ?? atMs) >= atMs - REOPEN_MS);
    const over = sessions.sessions.filter((session) => !isLoaded(session));
    if (over.length > 0) this.closed = [...this.closed, ...over];
    this.world = { ...this.world, sessions: { ...sessions, sessions: sessions.sessions.filter(isLoaded) } };
  }

  /**
   * The exact start of a session that began. Its figures wait until the end, so that a session which is interrupted
   * over and over costs no more than one that is not.
   */
  private settle({ world, sessionEvents }: FoldResult): void {
    const begun = new Set(
      sessionEvents.flatMap(({ kind, session }) => (kind === 'started' ? [session] : [])),
    );
    const sessions = world.sessions.sessions.map((session) =>
      begun.has(session.publicId)
        ? { ...session, startMs: exactStartMs(session, this.rowsOf(session)) }
        : session,
    );
    this.world = { ...world, sessions: { ...world.sessions, sessions } };
  }

  private rowsOf(session: Session): Observation[] {
    return session.members
      .flatMap(({ probeId }) => this.readings.between(probeId, session.startMs, session.endMs))
      .filter((row) => countsIn(session, row));
  }
}
