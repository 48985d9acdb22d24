import type { Sample, ToldCondition, Unit } from '../readings/sample.js';

export type ProviderName = 'thermoworks' | 'eti' | 'simulator';

/** Where a provider's hosts are and which public constants its web app sends. Base URLs have no trailing slash. */
export interface ProviderSettings {
  name: ProviderName;
  apiKey: string;
  appId: string;
  /** Value of the `Referer` header, with its trailing slash. */
  referer: string;
  hosts: { firebase: string; identity: string; token: string; firestore: string; storage: string };
  /** Set in configuration, else taken from the web config once and kept. */
  projectId?: string;
  storageBucket?: string;
}

export interface Tokens {
  uid: string;
  accessToken: string;
  refreshToken: string;
  /** Seconds from now; 3600 where the cloud gave none that is a number. */
  expiresInSeconds: number;
}

export interface CloudUser {
  accountId: string;
  preferredUnit: 'F' | 'C' | null;
  timeZone: string | null;
}

/** One device document. Texts are stripped of control characters and cut to 100; numbers out of range are null. */
export interface CloudDevice {
  /** The document id: the serial. */
  deviceId: string;
  /** As sent (RFC 3339, up to microseconds): only ever compared for equality. */
  updateTime: string;
  label: string | null;
  type: string | null;
  model: string | null;
  batteryPercent: number | null;
  /** Charging, or full; null: the device does not say. */
  isCharging: boolean | null;
  signalDbm: number | null;
  lastSeenAt: Date | null;
  /** `latestReading`, else `lastTelemetrySaved`: the newest reading that its channels should show. */
  lastTelemetryAt: Date | null;
  /** When a recording of it was closed last. */
  lastArchiveAt: Date | null;
  transmitIntervalSeconds: number | null;
  recordingIntervalSeconds: number | null;
  /** By which devices behind a gateway name it, in `gatewayId`. */
  iotDeviceId: string | null;
  gatewayId: string | null;
}

/** One channel document, read: the samples it shows and what it says of the probe. */
export interface CloudChannel {
  deviceId: string;
  /** The document id: "1", "2", … */
  probeId: string;
  label: string | null;
  kind: 'temperature' | 'humidity';
  /** What `value` and `status` say now; 'stale' is for the caller to judge. */
  condition: Exclude<ToldCondition, 'stale'>;
  /** `value`, where it is a measurement, and `recentReadings`; by time, no time twice (the first kept). */
  samples: Sample[];
  /** The time and value of `value` itself, also where its time had to be estimated from `lastSeen`. */
  current: Sample | null;
  /** Raw text of a unit that is not known; else null. */
  unknownUnit: string | null;
  lastSeenAt: Date | null;
  alarmHigh: { enabled: boolean; value: number; unit: Unit } | null;
}

export interface ChannelsWanted {
  deviceId: string;
  /** The channels known so far; null asks for 1 to 9. */
  probeIds: string[] | null;
}

/** A closed recording, as its document has it. */
export interface CloudArchive {
  archiveId: string;
  /** As sent: only ever compared for equality. */
  updateTime: string;
  filename: string;
  startAt: Date;
  endAt: Date;
  createdAt: Date;
  /** Rows that the file should have; null: not said. */
  count: number | null;
}

/** One probe's rows of an archive, by time; the columns have the same length. */
export interface ArchivedSamples {
  /** Epoch ms. */
  times: number[];
  /** As reported, rounded to hundredths. */
  values: number[];
  units: Unit[];
  flags: number[];
}

export interface ArchiveRows {
  /** By the cloud's channel id. */
  probes: Map<string, ArchivedSamples>;
  /** Rows that the file has, and how many of them are no readings. */
  total: number;
  bad: number;
  /** False: the file ends in the middle. */
  isWhole: boolean;
}
