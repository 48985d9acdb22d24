import type { JobSample } from '../queues/jobs.js';
import { FLAG, toHundredths, UNTRUSTED } from '../readings/sample.js';
import { convertHundredths, isTemperature } from '../readings/temperature.js';
import type { StillTrack } from '../sessions/detection-state.js';
import type { Batch } from './gather.js';
import type { IngestWorld } from './types.js';

const STILL = 10;
const MOVED = 500;
const WINDOW_MS = 30 * 60_000;
const SLOT_MS = 5 * 60_000;
/** Those that lie in the window, the present one among them. */
const SLOTS = WINDOW_MS / SLOT_MS;

type Stills = Record<string, StillTrack>;

/**
 * Marks what sub-sensors of a multi-sensor probe show while they are stuck (domain-rules.md, Readings 5): unchanged for
 * half an hour, less than 0.1 °C, in which all that move went more than 5 °C. Such a one stays stuck until it moves.
 * Late readings are neither asked nor marked.
 * @param batch whose samples get the flag
 * @returns the worlds, those of such devices with what is known of their sub-sensors
 */
export function markStuck(batch: Batch, worlds: Map<number, IngestWorld>): Map<number, IngestWorld> {
  let marked: Map<number, IngestWorld> | undefined;
  for (const [device, world] of worlds) {
    if (!world.reportsOnChange) continue;
    const stills = { ...world.sessions.detection.stills };
    for (const [probeId, sample] of samplesOf(batch, world)) take(batch, stills, probeId, sample);
    const { sessions } = world;
    const detection = { ...sessions.detection, stills };
    marked ??= new Map(worlds);
    marked.set(device, { ...world, sessions: { ...sessions, detection } });
  }
  return marked ?? worlds;
}

/** By time, and then by probe, so that it does not matter in how many batches they come. */
function samplesOf({ samples }: Batch, { probes }: IngestWorld): [number, JobSample][] {
  const all = [...probes.values()].flatMap(({ id, lastMs }) =>
    [...(samples.get(id)?.values() ?? [])].flatMap((sample): [number, JobSample][] =>
      sample[0] > (lastMs ?? 0) ? [[id, sample]] : [],
    ),
  );
  return all.sort(([a, one], [b, other]) => one[0] - other[0] || a - b);
}

function take({ samples }: Batch, stills: Stills, probeId: number, sample: JobSample): void {
  const [atMs, shown, unit, told] = sample;
  const flags = told & ~FLAG.stuck; // so that a batch can be tried again
  if (typeof shown === 'string' || flags & UNTRUSTED || !isTemperature(unit)) return;
  const still = follow(stills[probeId], atMs, convertHundredths(toHundredths(shown), unit, 'C'));
  stills[probeId] = still;
  if (!still.isStuck && isStuck(probeId, still, stills)) still.isStuck = true;
  if (still.isStuck) samples.get(probeId)?.set(atMs, [atMs, shown, unit, flags | FLAG.stuck]);
}

function follow(was: StillTrack | undefined, atMs: number, value: number): StillTrack {
  const slot = Math.floor(atMs / SLOT_MS);
  const missed = Math.min(slot - (was?.slot ?? slot), SLOTS);
  const [newest, ...older] = [...Array<null>(missed).fill(null), ...(was?.ranges ?? [null])].slice(0, SLOTS);
  const range: [number, number] = [
    Math.min(newest?.[0] ?? value, value),
    Math.max(newest?.[1] ?? value, value),
  ];
  const [low, high] = [Math.min(was?.low ?? value, value), Math.max(was?.high ?? value, value)];
  const common = { lastMs: atMs, slot, ranges: [range, ...older] };
  if (!was || high - low >= STILL) return { ...common, sinceMs: atMs, low: value, high: value };
  return { ...common, sinceMs: was.sinceMs, low, high, ...(was.isStuck && { isStuck: true }) };
}

function isStuck(probeId: number, { lastMs, sinceMs }: StillTrack, stills: Stills): boolean {
  if (lastMs - sinceMs < WINDOW_MS) return false;
  const moved = Object.entries(stills).flatMap(([id, still]) =>
    Number(id) === probeId ? [] : movedWithin(still, Math.floor(lastMs / SLOT_MS)),
  );
  return moved.some((by) => by > MOVED) && moved.every((by) => by < STILL || by > MOVED);
}

/** By how much it moved in the window that ends with `slot`; nothing where it showed nothing. */
function movedWithin({ slot: newest, ranges }: StillTrack, slot: number): number[] {
  const shown = ranges.slice(0, Math.max(0, SLOTS - (slot - newest))).filter((range) => range !== null);
  if (shown.length === 0) return [];
  return [Math.max(...shown.map(([, high]) => high)) - Math.min(...shown.map(([low]) => low))];
}
