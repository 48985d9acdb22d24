import {
  BRISKET,
  CHICKEN,
  type Cook,
  coolerF,
  coolerHumidity,
  meatF,
  nearlyDoneF,
  pitF,
  steadyF,
} from './cook.js';
import { fraction, hex } from './random.js';
import type { Plain } from './value.js';

export interface ProbeSpec {
  id: string;
  label: string;
  type: string;
  unit: 'F' | 'C' | 'H';
  /** High alarm that the cook set in the vendor's app, in `unit`. */
  alarmHigh?: number;
  /** °F (percent for H) at seconds since the simulator started; none: nothing is plugged in. */
  curve?: (seconds: number) => number;
}

export interface DeviceSpec {
  probes: ProbeSpec[];
  /** How often it samples, and how often the cloud gets what was sampled. */
  recordSeconds: number;
  transmitSeconds: number;
  /** What only this kind's document says. */
  facts: { [field: string]: Plain };
}

/** Which world, which account of it and which device of the account (both from 0). */
export interface Place {
  seed: number;
  accountIndex: number;
  deviceIndex: number;
  demo: boolean;
}

/** M and digits for an RFX meat probe, else a MAC address; both carry the account and the device. */
export function serialOf({ seed, accountIndex, deviceIndex }: Omit<Place, 'demo'>): string {
  if (deviceIndex % 4 === 3) return `M${100_000_001 + accountIndex * 256 + deviceIndex}`;
  const digits = hex(4, seed, 'mac') + (accountIndex * 256 + deviceIndex).toString(16).padStart(8, '0');
  return (digits.toUpperCase().match(/../g) ?? []).join(':');
}

/** The account that a serial carries, if {@link serialOf} made it. */
export function accountIndexOf(serial: string): number {
  const isRfx = serial.startsWith('M');
  const mac = Number.parseInt(serial.replaceAll(':', '').slice(4), 16);
  return Math.floor((isRfx ? Number(serial.slice(1)) - 100_000_001 : mac) / 256);
}

/** The device at this place: smoker, walk-in cooler, RFX gateway, RFX meat probe, and round again. */
export function deviceSpec(place: Place): DeviceSpec {
  const build = [smoker, cooler, gateway, meatProbe][place.deviceIndex % 4] ?? smoker;
  const spec = build(place);
  const round = Math.floor(place.deviceIndex / 4);
  if (round > 0) spec.facts.label = `${spec.facts.label} ${round + 1}`;
  return spec;
}

/** The first account's first cook begins with the simulator; other accounts are anywhere in theirs. */
function cookAt({ seed, accountIndex }: Place, cook: Omit<Cook, 'startSeconds' | 'phase'>): Cook {
  const phase = fraction(seed, accountIndex, cook.setPointF);
  return { ...cook, phase, startSeconds: accountIndex === 0 ? 0 : phase * cook.periodSeconds };
}

function smoker(place: Place): DeviceSpec {
  const cook = cookAt(place, { setPointF: 250, heatSeconds: 43_200, periodSeconds: 72_000, meat: BRISKET });
  const demo = place.demo && place.accountIndex === 0 && place.deviceIndex === 0;
  const seconds = demo ? 5 : 10;
  const pit = (s: number) => (demo ? steadyF(250, s, cook.phase) : pitF(cook, s));
  const point = (s: number) => (demo ? nearlyDoneF(s) : meatF(cook, s));
  const flat = (s: number) => (demo ? steadyF(197, s / 50, cook.phase) : meatF(cook, s - 900));
  return {
    recordSeconds: seconds,
    transmitSeconds: seconds,
    probes: [
      { id: '1', label: 'Pit', type: 'Pro-Series', unit: 'F', curve: pit },
      { id: '2', label: 'Point', type: 'Pro-Series', unit: 'F', alarmHigh: 203, curve: point },
      { id: '3', label: 'Flat', type: 'Pro-Series', unit: 'F', curve: flat },
      { id: '4', label: '', type: 'Pro-Series', unit: 'F' },
    ],
    facts: { label: 'Brisket', type: 'signals', device: 'signals', wifi_stength: -58 },
  };
}

function cooler(place: Place): DeviceSpec {
  const phase = fraction(place.seed, place.accountIndex, place.deviceIndex);
  const unit = place.accountIndex % 2 === 0 ? 'F' : 'C';
  const humidity = (s: number) => coolerHumidity(s, phase);
  return {
    recordSeconds: 60,
    transmitSeconds: 300,
    // No channel 2: numbers need not be consecutive.
    probes: [
      { id: '1', label: 'Air', type: 'Pro-Series', unit, curve: (s) => coolerF(s, phase) },
      { id: '3', label: 'Humidity', type: 'HumidityHumidity', unit: 'H', curve: humidity },
    ],
    facts: {
      label: 'Walk-in',
      type: 'datalogger',
      device: 'node',
      wifi_stength: -72,
      deviceDisplayUnits: unit,
    },
  };
}

const chicken = (place: Place) =>
  cookAt(place, { setPointF: 325, heatSeconds: 9000, periodSeconds: 28_800, meat: CHICKEN });

const gatewayId = (place: Place) => `T${serialOf(place).replaceAll(':', '')}`;

function gateway(place: Place): DeviceSpec {
  const cook = chicken(place);
  return {
    recordSeconds: 15,
    transmitSeconds: 15,
    probes: [{ id: '1', label: 'Pit', type: 'rfx air', unit: 'F', curve: (s) => pitF(cook, s) }],
    facts: {
      label: 'Kettle',
      type: 'rfx',
      device: 'rfx gateway',
      iotDeviceId: gatewayId(place),
      wifi_stength: -61,
    },
  };
}

function meatProbe(place: Place): DeviceSpec {
  const cook = chicken(place);
  // From the tip outwards, each sensor is closer to the heat of the pit.
  const at = (n: number) => (s: number) => meatF(cook, s) + n * 0.09 * (pitF(cook, s) - meatF(cook, s));
  const sensor = { label: '', type: 'rfx meat sensor', unit: 'F', alarmHigh: 164.5 } as const;
  return {
    recordSeconds: 15,
    transmitSeconds: 15,
    probes: ['1', '2', '3', '4'].map((id, n) => ({ ...sensor, id, curve: at(n) })),
    facts: {
      label: 'Chicken',
      type: 'rfx',
      device: 'rfx meat',
      gatewayId: gatewayId({ ...place, deviceIndex: place.deviceIndex - 1 }),
      gatewayRSSI: -55,
      temperatureDeltaTrigger: 1,
      groups: [],
    },
  };
}
