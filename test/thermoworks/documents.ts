/** Documents as the cloud sends them; the values are made up. */
export const DOCS = 'projects/demo-cloud/databases/(default)/documents';

export const NODE = {
  name: `${DOCS}/devices/AA:BB:CC:00:11:22`,
  fields: {
    serial: { stringValue: 'AA:BB:CC:00:11:22' },
    deviceId: { stringValue: 'AA:BB:CC:00:11:22' },
    accountId: { stringValue: 'accDemo01' },
    label: { stringValue: 'Walk-in' },
    type: { stringValue: 'datalogger' },
    device: { stringValue: 'node' },
    status: { stringValue: 'NORMAL' },
    battery: { integerValue: '87' },
    batteryState: { stringValue: 'discharging' },
    wifi_stength: { integerValue: '-72' },
    transmitIntervalInSeconds: { integerValue: '7200' },
    recordingIntervalInSeconds: { integerValue: '600' },
    lastSeen: { timestampValue: '2026-11-20T10:15:07.702Z' },
    lastTelemetrySaved: { timestampValue: '2026-11-20T10:10:00Z' },
    sessionStart: { timestampValue: '2026-09-01T00:00:00Z' },
  },
  createTime: '2025-01-10T09:00:00.123456Z',
  updateTime: '2026-11-20T10:15:07.918273Z',
};

export const RFX = {
  name: `${DOCS}/devices/M100000001`,
  fields: {
    serial: { stringValue: 'M100000001' },
    accountId: { stringValue: 'accDemo01' },
    label: { stringValue: 'Brisket' },
    type: { stringValue: 'rfx' },
    device: { stringValue: 'rfx meat' },
    battery: { integerValue: '100' },
    gatewayId: { stringValue: 'TAABBCC001133' },
    gatewayRSSI: { integerValue: '-55' },
    transmitIntervalInSeconds: { integerValue: '60' },
    latestReading: { timestampValue: '2026-11-20T10:15:40.470Z' },
    lastSeen: { timestampValue: '2026-11-20T10:15:41Z' },
  },
  createTime: '2025-06-10T09:00:00.500000Z',
  updateTime: '2026-11-20T10:15:41.100000Z',
};

const entry = (fields: Record<string, unknown>) => ({ mapValue: { fields } });

export const CHANNEL = {
  name: `${DOCS}/devices/M100000001/channels/1`,
  fields: {
    number: { stringValue: '1' },
    value: { doubleValue: 72.4000015258789 },
    units: { stringValue: 'F' },
    status: { stringValue: 'NORMAL' },
    type: { stringValue: 'rfx meat sensor' },
    label: { stringValue: '' },
    lastTelemetrySaved: { timestampValue: '2026-11-20T10:15:40.470Z' },
    lastSeen: { timestampValue: '2026-11-20T10:15:40.717Z' },
    alarmHigh: entry({
      enabled: { booleanValue: true },
      alarming: { booleanValue: false },
      value: { integerValue: '165' },
      units: { stringValue: 'F' },
    }),
    minimum: entry({
      reading: entry({ value: { doubleValue: 69.5999984741211 }, units: { stringValue: 'F' } }),
      dateReading: { timestampValue: '2026-11-20T09:37:51.508Z' },
    }),
    recentReadings: {
      arrayValue: {
        values: [
          entry({
            v: { stringValue: '72.400' },
            ts: { timestampValue: '2026-11-20T10:15:40.470Z' },
            u: { stringValue: 'F' },
          }),
          entry({
            v: { stringValue: '72.300' },
            ts: { stringValue: '2026-11-20T10:15:10.455Z' },
            u: { stringValue: 'F' },
          }),
        ],
      },
    },
  },
  createTime: '2025-06-10T09:00:01.000000Z',
  updateTime: '2026-11-20T10:15:40.800000Z',
};

export const READ_TIME = new Date('2026-11-20T10:16:00.000Z');
