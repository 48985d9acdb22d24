import type { ProbeRole } from '../readings/sample.js';
import type { ProbeTrack } from './detection-state.js';
import { heatsLikePit } from './probe-track.js';
import type { DeviceFacts, ProbeFacts, SessionMember } from './types.js';

const LOGGER = /^(datalogger|node)$|thermadata/i;
const GATEWAY = /^rfx gateway$/i;
// Whole words, but "Pit1" and "pit_left" too; "grilled chicken", "spit" and "stairs" are none.
const PIT_LABEL = /(?<![a-z])(pit|grill|smoker|ambient|air)(?![a-z])/i;

function isKind({ type, model }: Pick<DeviceFacts, 'type' | 'model'>, kind: RegExp): boolean {
  return kind.test(type ?? '') || kind.test(model ?? '');
}

/** What the probe is for: as the user set it, else guessed from the device and the label. */
export function effectiveRole(
  device: Pick<DeviceFacts, 'type' | 'model'>,
  probe: Pick<ProbeFacts, 'role' | 'label'>,
): ProbeRole {
  if (probe.role !== null) return probe.role;
  if (isKind(device, LOGGER)) return 'storage'; // before the label: a cold room's "Air" is no pit
  return isKind(device, GATEWAY) || PIT_LABEL.test(probe.label ?? '') ? 'pit' : 'food';
}

/** A storage probe takes no part in a cook by itself. */
export function mayJoin(device: DeviceFacts, probe: ProbeFacts): boolean {
  return probe.kind === 'temperature' && effectiveRole(device, probe) !== 'storage';
}

/** Whether cooks on this device are looked for: not on loggers, nor where every temperature probe is storage. */
export function detectsCooks(device: DeviceFacts): boolean {
  return !isKind(device, LOGGER) && device.probes.some((probe) => mayJoin(device, probe));
}

/** The probe as a member from the session's start, by all that is known of it. */
export function asMember(device: DeviceFacts, probe: ProbeFacts, track: ProbeTrack): SessionMember {
  const role = probe.role === null && heatsLikePit(track) ? 'pit' : effectiveRole(device, probe);
  return { probeId: probe.id, role, fromMs: null, toMs: null };
}
