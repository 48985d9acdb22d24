import type { ProbeTrack } from './detection-state.js';
import { type Draft, mapProbes, type Sight, type Watch } from './draft.js';
import { inSession, isPitHot, showsCook } from './probe-track.js';
import { followRise, hasRisen, isCooking } from './rise.js';
import { asMember, detectsCooks, effectiveRole, mayJoin } from './roles.js';
import type { DeviceFacts, ProbeFacts, Session } from './types.js';

/** So long before it is noticed a cook began at the earliest. */
const PIT_BACK_MS = 30 * 60_000;
const FOOD_BACK_MS = 3 * 3_600_000;

/** What the device's probes are for, looked up once for many readings. */
function watchOf(draft: Draft): Watch {
  if (draft.watch) return draft.watch;
  const { device } = draft;
  const cooks = detectsCooks(device);
  const probes = cooks ? device.probes.filter((probe) => mayJoin(device, probe)) : [];
  const roles = new Map(probes.map((probe) => [probe.id, effectiveRole(device, probe)]));
  draft.watch = { roles, pits: [...roles].flatMap(([id, role]) => (role === 'pit' ? [id] : [])) };
  return draft.watch;
}

/** A pit that shows nothing is as good as none. */
function hasPit({ probes }: Draft, { pits }: Watch): boolean {
  for (const id of pits) {
    const track = probes[id];
    if (track?.value !== undefined && track.absentMs === undefined) return true;
  }
  return false;
}

/** Keeps how an idle probe rises, where that alone may begin a cook. */
export function watchRise(draft: Draft, { probe, before, track }: Sight): void {
  const watch = watchOf(draft);
  const role = watch.roles.get(probe.id);
  if (role === undefined || (!probe.hasIntent && (role !== 'food' || hasPit(draft, watch)))) return;
  track.rise = followRise(before, track, role === 'food');
}

/** When the cook began that an idle probe shows now; null: it shows none. */
export function cookBegan(draft: Draft, { probe, atMs, before, track }: Sight): number | null {
  const { device } = draft;
  if (isPitHot(track) && detectsCooks(device) && asMember(device, probe, track).role === 'pit') {
    return pitBegan(track, atMs);
  }
  if (!track.rise) return null;
  const watch = watchOf(draft);
  const role = watch.roles.get(probe.id);
  const isFoodOnly = role === 'food' && isCooking(before, track) && !hasPit(draft, watch);
  if (!isFoodOnly && !(probe.hasIntent && hasRisen(track))) return null;
  if (role === 'pit') return pitBegan(track, atMs);
  return Math.max(track.riseMs ?? atMs, atMs - FOOD_BACK_MS);
}

export function pitBegan({ riseMs }: ProbeTrack, atMs: number): number {
  return Math.max(riseMs ?? atMs, atMs - PIT_BACK_MS);
}

export function beginCook(draft: Draft, { publicId, startMs }: Session): void {
  draft.cook = { session: publicId, peak: 0, pits: {}, foodLows: {} };
  mapProbes(draft, (track) => inSession(track, startMs));
}

/** Begins the cook with all that takes part in it. */
export function start(draft: Draft, { probe, atMs }: Sight, startMs: number, publicId: string): void {
  const { device } = draft;
  const session: Session = {
    publicId,
    id: null,
    userId: device.userId,
    deviceId: device.deviceId,
    sessionType: 'auto',
    status: 'active',
    phase: 'active',
    endReason: null,
    startMs,
    endMs: null,
    lastReadingMs: null,
    temperatureUnit: device.temperatureUnit,
    startedBy: probe.id,
    members: [],
    stats: new Map(),
    rebuild: true,
  };
  beginCook(draft, session);
  session.members = device.probes.flatMap((one) => {
    const track = draft.probes[one.id];
    if (!track || (one !== probe && !takesPart(device, one, track))) return [];
    return [asMember(device, one, track)];
  });
  const isPit = session.members.some(({ probeId, role }) => probeId === probe.id && role === 'pit');
  if (draft.cook && !isPit) draft.cook.startedBy = probe.id;
  draft.sessions = [...draft.sessions, session];
  draft.events.push({ kind: 'started', session: publicId, atMs });
}

/** Whether a probe that shows something since before the start belongs to the cook. */
function takesPart(device: DeviceFacts, probe: ProbeFacts, track: ProbeTrack): boolean {
  const { value, absentMs, minima } = track;
  if (value === undefined || absentMs !== undefined || minima.length === 0) return false;
  return mayJoin(device, probe) && showsCook(track, value);
}
