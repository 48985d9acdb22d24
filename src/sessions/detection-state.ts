import { z } from 'zod';

const instantMs = z.int();
const hundredthsC = z.int();

/** One probe. Temperatures are whole hundredths of a degree Celsius, times epoch ms; what is not so is left out. */
const probeTrack = z.object({
  /** Of the last observation, whether it showed a value or not. */
  lastMs: instantMs,
  /** The last valid value and its time. */
  value: hundredthsC.optional(),
  validMs: instantMs.optional(),
  /** Since when it shows none. */
  absentMs: instantMs.optional(),
  /** Minima of idle quarters of an hour, newest first; `bucket` numbers the newest. Kept as they are in a session. */
  bucket: z.int(),
  minima: z.array(hundredthsC.nullable()),
  /** When it was last not above baseline + 5 °C. */
  calmMs: instantMs.optional(),
  /** It fell below its baseline by more than 5 °C since `calmMs`: what warms up from there has left it then. */
  isCold: z.literal(true).optional(),
  /** First reading of the present stay above baseline + 5 °C. */
  riseMs: instantMs.optional(),
  /** First reading of the present stay at pit-start temperature: the probe is a candidate. */
  hotMs: instantMs.optional(),
  /** Not armed since the last end: the lowest value since then, and its time. */
  lowest: z.tuple([hundredthsC, instantMs]).optional(),
  /** What {@link followRise} keeps while no session runs: left out where nothing can begin by a rise. */
  rise: z
    .object({
      /** Values of the last hour, each lower than all after it, and five minutes apart. */
      lows: z.array(z.tuple([instantMs, hundredthsC])),
      /** It rose by 15 °C within an hour. */
      isFast: z.literal(true).optional(),
      /** Warm enough for food that cooks: the probe is a candidate. */
      isWarm: z.literal(true).optional(),
      /** It was put in or pulled out: the lowest value since then. */
      handled: hundredthsC.optional(),
    })
    .optional(),
});

/** What {@link followLid} keeps of a pit. */
const lidTrack = z.object({
  /** Values of ten minutes, each higher than all after it. */
  recent: z.array(z.tuple([instantMs, hundredthsC])),
  drop: z
    .object({
      fromMs: instantMs,
      /** When the first one began of those in a row that were open lids. */
      sinceMs: instantMs.optional(),
      peak: hundredthsC,
      lowest: hundredthsC,
      /** When half of it was made good: the lid was open. */
      lidMs: instantMs.optional(),
    })
    .optional(),
});

const pitHeat = z.object({
  /** Seconds spent in each step of 2 °C from 0 °C on. */
  seconds: z.array(z.int()),
  p90: hundredthsC,
  /** Last reading at 80 % or more of the span from the baseline to the 90th percentile. */
  highMs: instantMs,
  /** Of a stay below that, by half hours: since when, how many readings, their sum, and the mean of the one before. */
  low: z.tuple([instantMs, z.int(), z.int(), hundredthsC.nullable()]).optional(),
  lid: lidTrack.optional(),
});

/** When its first reading was, and of how many readings the sums of times, values, squares of times, and products. */
const foodLine = z.tuple([instantMs, z.int(), z.int(), z.int(), z.int(), z.int()]);

const cookTrack = z.object({
  /** `publicId` of the session: the running one, or one that lost contact and may reopen. */
  session: z.string(),
  peak: hundredthsC,
  /** By probe id: pit members that showed a value. */
  pits: z.record(z.string(), pitHeat),
  /** Since when the pits have been below their end limit with no food rising; unknown time is not counted. */
  coolMs: instantMs.optional(),
  /** By probe id: how each food changes since `coolMs`. */
  foodLines: z.record(z.string(), foodLine).optional(),
  /** Nothing: a process of the version before cannot read a state without it. */
  foodLows: z.record(z.string(), hundredthsC),
  /** Last reading of a food at 45 °C or more. */
  warmMs: instantMs.optional(),
  /** The probe (`probes.id`) that began it by itself. */
  startedBy: z.int().optional(),
});

/** What {@link markStuck} keeps of a sub-sensor. */
const stillTrack = z.object({
  lastMs: instantMs,
  /** Since when it has stayed within less than 0.1 °C, and within what. */
  sinceMs: instantMs,
  low: hundredthsC,
  high: hundredthsC,
  /** Lowest and highest of the last slots of five minutes, newest first; `slot` numbers the newest. */
  slot: z.int(),
  ranges: z.array(z.tuple([hundredthsC, hundredthsC]).nullable()),
  isStuck: z.literal(true).optional(),
});

const detectionState = z.object({
  probes: z.record(z.string(), probeTrack),
  cook: cookTrack.optional(),
  /** By probe id: sub-sensors of a multi-sensor probe. */
  stills: z.record(z.string(), stillTrack).optional(),
  absences: z.record(z.string(), z.array(instantMs)).optional(),
  lookBack: z.tuple([instantMs, instantMs]).optional(),
});

export type ProbeTrack = z.infer<typeof probeTrack>;
export type FoodLine = z.infer<typeof foodLine>;
export type RiseTrack = NonNullable<ProbeTrack['rise']>;
export type StillTrack = z.infer<typeof stillTrack>;
export type LidTrack = z.infer<typeof lidTrack>;
export type PitHeat = z.infer<typeof pitHeat>;
export type CookTrack = z.infer<typeof cookTrack>;
/** By `probes.id`. */
export type ProbeTracks = { readonly [probeId: string]: ProbeTrack };

/** What detection remembers of a device: plain JSON of bounded size, whatever the length of the session. */
export interface DetectionState {
  readonly probes: ProbeTracks;
  readonly cook?: CookTrack | undefined;
  readonly stills?: { readonly [probeId: string]: StillTrack } | undefined;
  readonly absences?: Absences | undefined;
  /** The first and the last of late readings that are stored, but not yet looked back at: the next timers do it. */
  readonly lookBack?: readonly [fromMs: number, toMs: number] | undefined;
}

/**
 * By probe id, when the probe was seen to show no value, ascending: no stored reading tells it, and what late readings
 * make of the past depends on it. Bounded.
 */
export type Absences = { readonly [probeId: string]: readonly number[] };

const ABSENCES_KEPT = 50;
const ABSENCES_KEPT_MS = 16 * 24 * 3_600_000;

/** The state that knows of one more absence; the same if it knew. */
export function withAbsence(state: DetectionState, probeId: number, atMs: number): DetectionState {
  const known = state.absences?.[probeId] ?? [];
  if (known.includes(atMs)) return state;
  const all = [...known, atMs].sort((a, b) => a - b);
  const newestMs = all.at(-1) ?? atMs;
  const kept = all.filter((ms) => newestMs - ms <= ABSENCES_KEPT_MS).slice(-ABSENCES_KEPT);
  return { ...state, absences: { ...state.absences, [probeId]: kept } };
}

export function emptyDetection(): DetectionState {
  return { probes: {} };
}

/** Throws a ZodError when `json` is not a state that this version can go on from. */
export function parseDetection(json: unknown): DetectionState {
  return detectionState.parse(json);
}
