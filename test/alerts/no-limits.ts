/** The limits of a rule, none of them given. */
export const NO_LIMITS = {
  targetTemperature: null,
  preAlertDifference: null,
  direction: null,
  minTemperature: null,
  maxTemperature: null,
  criticalMinTemperature: null,
  criticalMaxTemperature: null,
  thresholdValue: null,
  windowSeconds: null,
  silenceMinutes: null,
  criticalSilenceMinutes: null,
  batteryPercent: null,
  criticalBatteryPercent: null,
};
