import type { ProbeSpec } from './kinds.js';
import type { Fields, Value } from './value.js';

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

/** Whether it is a measurement, which lists of readings show. */
export const isMeasured = ({ value, status = '' }: Recording): boolean =>
  typeof value === 'number' && Number.isFinite(value) && !/no probe|offline/i.test(status);

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
  /** What became of its recordings, from which number on: what nobody saw can be told later. */
  modes: { from: number; mode: string; last?: Recording | undefined }[];
  /** What was scripted. */
  scripted: Recording[];
}
