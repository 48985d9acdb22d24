import { AlertEvent } from './alert-event.js';
import { AlertState } from './alert-state.js';
import { ArchiveCopy } from './archive-copy.js';
import { Canary } from './canary.js';
import { DeadLetter } from './dead-letter.js';
import { DetectionState } from './detection-state.js';
import { Device } from './device.js';
import { GrillingSession } from './grilling-session.js';
import { Notification } from './notification.js';
import { NotificationAttempt } from './notification-attempt.js';
import { NotificationChannel } from './notification-channel.js';
import { Organisation } from './organisation.js';
import { Probe } from './probe.js';
import { Reading } from './reading.js';
import { ReadingBucket } from './reading-bucket.js';
import { ReadingBucketMark } from './reading-bucket-mark.js';
import { ReadingBucketProgress } from './reading-bucket-progress.js';
import { ReadingGap } from './reading-gap.js';
import { SessionLogEntry } from './session-log-entry.js';
import { SessionMember } from './session-member.js';
import { SessionProbeStats } from './session-probe-stats.js';
import { SessionTag } from './session-tag.js';
import { TemperatureAlert } from './temperature-alert.js';
import { ThermoworksCredential } from './thermoworks-credential.js';
import { User } from './user.js';

/** Every table, for the data source. */
export const ENTITIES = [
  AlertEvent,
  AlertState,
  ArchiveCopy,
  Canary,
  DeadLetter,
  DetectionState,
  Device,
  GrillingSession,
  Notification,
  NotificationAttempt,
  NotificationChannel,
  Organisation,
  Probe,
  Reading,
  ReadingBucket,
  ReadingBucketMark,
  ReadingBucketProgress,
  ReadingGap,
  SessionLogEntry,
  SessionMember,
  SessionProbeStats,
  SessionTag,
  TemperatureAlert,
  ThermoworksCredential,
  User,
];
