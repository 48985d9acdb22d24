import type { AlertEventKind } from '../entities/alert-event.js';
import type { AlertPhase, AlertSide } from '../entities/alert-state.js';
import type { AlertType, Severity } from '../entities/temperature-alert.js';
import type { Unit } from '../readings/sample.js';
import type { TemperatureUnit } from '../readings/temperature.js';

/** A rule as the reducers see it. Temperatures and differences are in `temperatureUnit`. */
export interface AlertRule {
  id: number;
  type: AlertType;
  temperatureUnit: TemperatureUnit;
  targetTemperature: number | null;
  direction: 'up' | 'down' | null;
  /** Of a target: so much before it, a tier `info` of its own tells that it is near; null: nothing does. */
  preAlertDifference: number | null;
  minTemperature: number | null;
  maxTemperature: number | null;
  criticalMinTemperature: number | null;
  criticalMaxTemperature: number | null;
  /** Of a rising or falling alert: the change within `windowSeconds` that it tells. */
  thresholdValue: number | null;
  windowSeconds: number | null;
  /** Of a no-data alert: for how long the probe may be silent. */
  silenceMinutes: number | null;
  criticalSilenceMinutes: number | null;
  /** Of a battery alert, of the device as a whole: what is at or below it is low. */
  batteryPercent: number | null;
  criticalBatteryPercent: number | null;
  holdSeconds: number;
  /** Null: 2 × EI, at least 2 min (storage: 10 min, stored as a number when the alert is created). */
  recoverySeconds: number | null;
  hysteresis: number;
  cooldownSeconds: number;
  /** What goes on firing is told again after so long, until it is acknowledged; 0: never. */
  repeatSeconds: number;
  severity: Severity;
}

/** A reading of a window: epoch ms, hundredths of the rule's unit, and for how long before it the value was known. */
export type RecentReading = [measuredAtMs: number, hundredths: number, knownMs: number];

/** Where one side and tier of an alert stands. Times in epoch ms. */
export interface AlertState {
  alertId: number;
  side: AlertSide;
  tier: Severity;
  phase: AlertPhase;
  /** The probe shows nothing; `phase` is what was remembered before. */
  isUnknown: boolean;
  /**
   * A target, rising or falling alert that fired is not armed again until its own conditions say so; a battery alert is
   * armed while the battery drains.
   */
  isArmed: boolean;
  /** A message went out for the present firing (a warning under a firing critical stays silent). */
  isAnnounced: boolean;
  /** Number of the last event of this side and tier. */
  version: number;
  /** Event time that the condition of the present phase (hold or recovery) has been true for. */
  heldMs: number;
  /** Consecutive readings of it. */
  heldReadings: number;
  /** Event time that an unarmed alert has been far enough on the other side; -1: it is not. Of an armed one it says nothing. */
  rearmMs: number;
  /** Time of the last reading that changed it (`resting.ts`: not each one does); null: none was seen. */
  evaluatedAtMs: number | null;
  firedAtMs: number | null;
  resolvedAtMs: number | null;
  /** The worst value since the hold of the present firing began, in the rule's unit. */
  extreme: number | null;
  /** The window of a rising or falling alert, oldest first; what a battery alert saw last; null: an alert of another type. */
  recent: RecentReading[] | null;
  /** Of the present firing. */
  acknowledgedAtMs: number | null;
  /** Nothing is told until then, by the cloud's clock. */
  snoozedUntilMs: number | null;
  /** When the present firing was told last; null: when it fired, or never. */
  toldAtMs: number | null;
  /** The present firing was recorded but not told: it is snoozed or inhibited. */
  isMuted: boolean;
  /** What its whole device suffers from was told by another; `toldAtMs`: from when it may speak for itself, if at all. */
  isInhibited: boolean;
}

/** Nothing held, nothing fires. */
export const INACTIVE = {
  phase: 'inactive',
  heldMs: 0,
  heldReadings: 0,
  extreme: null,
  acknowledgedAtMs: null,
  toldAtMs: null,
  isMuted: false,
  isInhibited: false,
} as const;

/** A transition worth a row (and, for fired and resolved, a message). */
export interface AlertTransition {
  alertId: number;
  kind: AlertEventKind;
  side: AlertSide;
  tier: Severity;
  version: number;
  /** As the probe reported it, in `unit`. */
  value: number | null;
  unit: Unit | null;
  measuredAtMs: number;
  /** Of the firing that ended, by reading times; only on `resolved`. */
  durationSeconds: number | null;
  /** In the rule's unit; only on `resolved`. */
  extreme: number | null;
  /** By how much the value rose or fell within the window, in the rule's unit; only on `fired` of such an alert. */
  change: number | null;
  /** Recorded but not told: the alert is snoozed or inhibited. */
  isMuted: boolean;
  isInhibited?: true;
  /** Told to programs alone: people hear of the end of a side once, when a lesser tier ends too. */
  isSuperseded?: true;
  /** It speaks for its whole device, of which so many probes are missed; only on `fired` of no data. */
  silentProbes?: number;
  /** It speaks for a gateway, with so many devices behind it; only on `fired` of no data. */
  silentDevices?: number;
}

/** Field by field: a spread takes twenty times as long, and this is done for every reading. */
export function copyOf(state: AlertState): AlertState {
  return {
    alertId: state.alertId,
    side: state.side,
    tier: state.tier,
    phase: state.phase,
    isUnknown: state.isUnknown,
    isArmed: state.isArmed,
    isAnnounced: state.isAnnounced,
    version: state.version,
    heldMs: state.heldMs,
    heldReadings: state.heldReadings,
    rearmMs: state.rearmMs,
    evaluatedAtMs: state.evaluatedAtMs,
    firedAtMs: state.firedAtMs,
    resolvedAtMs: state.resolvedAtMs,
    extreme: state.extreme,
    recent: state.recent,
    acknowledgedAtMs: state.acknowledgedAtMs,
    snoozedUntilMs: state.snoozedUntilMs,
    toldAtMs: state.toldAtMs,
    isMuted: state.isMuted,
    isInhibited: state.isInhibited,
  };
}
