const AMBIENT_F = 72;

/** One repeating cook. Times are seconds since the simulator started. */
export interface Cook {
  setPointF: number;
  heatSeconds: number;
  periodSeconds: number;
  /** When the first cook begins. */
  startSeconds: number;
  /** 0 to 1: shifts the wobble of the fire. */
  phase: number;
  /** Meat in °F along the heated time: [share of heatSeconds, °F], ascending. */
  meat: readonly (readonly [number, number])[];
}

/** Twelve hours to 203 °F, two of them in the stall near 160 °F. */
export const BRISKET = [
  [0, 38],
  [0.1, 72],
  [0.22, 122],
  [0.34, 152],
  [0.4, 158.5],
  [0.58, 161.5],
  [0.66, 166],
  [0.82, 185],
  [1, 204],
] as const;

/** Chicken: no stall. */
export const CHICKEN = [
  [0, 40],
  [0.15, 58],
  [0.4, 105],
  [0.7, 141],
  [1, 167],
] as const;

const wave = (seconds: number, period: number, phase: number) =>
  Math.sin(2 * Math.PI * (seconds / period + phase));

const modulo = (value: number, by: number) => ((value % by) + by) % by;

const sinceHeatOn = (cook: Cook, seconds: number) => modulo(seconds - cook.startSeconds, cook.periodSeconds);

/** The pit: climbs, holds with wobble and lid openings, cools after the heat is off. */
export function pitF(cook: Cook, seconds: number): number {
  const heated = sinceHeatOn(cook, seconds);
  const reached = (s: number) => AMBIENT_F + (cook.setPointF - AMBIENT_F) * (1 - Math.exp(-s / 700));
  if (heated >= cook.heatSeconds) {
    const cooling = Math.exp(-(heated - cook.heatSeconds) / 2400);
    return AMBIENT_F + (reached(cook.heatSeconds) - AMBIENT_F) * cooling;
  }
  const lidOpen = heated > 4800 ? 25 * Math.exp(-(heated % 4800) / 150) : 0;
  const wobble = 4 * wave(heated, 840, cook.phase) + 2.5 * wave(heated, 330, 3 * cook.phase);
  return reached(heated) + (wobble * heated) / (heated + 600) - lidOpen;
}

/** The meat: follows its path while heated, then rests; the next cook begins with cold meat. */
export function meatF(cook: Cook, seconds: number): number {
  const heated = sinceHeatOn(cook, seconds);
  const share = Math.min(heated / cook.heatSeconds, 1);
  let [lowShare, value] = cook.meat[0] ?? [0, AMBIENT_F];
  for (const [highShare, highF] of cook.meat.slice(1)) {
    const part = Math.min(1, (share - lowShare) / (highShare - lowShare));
    value += (highF - value) * part;
    if (part < 1) break;
    lowShare = highShare;
  }
  const rested = Math.max(0, heated - cook.heatSeconds);
  return AMBIENT_F + (value - AMBIENT_F) * Math.exp(-rested / 9000);
}

/** Meat close to done: passes 203 °F about 25 seconds after the start and stays above. */
export const nearlyDoneF = (seconds: number): number =>
  seconds < 0 ? 200.9 + seconds / 60 : 200.9 + 2.7 * (1 - Math.exp(-seconds / 16)) + seconds / 7200;

/** A steady fire. */
export const steadyF = (level: number, seconds: number, phase: number): number =>
  level + 2 * wave(seconds, 840, phase) + wave(seconds, 330, 3 * phase);

/** Share of the defrost heat in the air of a walk-in, 0 to 1: 25 minutes of heating every six hours. */
function defrost(seconds: number, phase: number): number {
  const since = modulo(seconds + phase * 21_600, 21_600);
  const heat = (s: number) => 1 - Math.exp(-s / 600);
  return since < 1500 ? heat(since) : heat(1500) * Math.exp(-(since - 1500) / 900);
}

export const coolerF = (seconds: number, phase: number): number =>
  37 + 1.4 * wave(seconds, 1260, phase) + 10 * defrost(seconds, phase);

export const coolerHumidity = (seconds: number, phase: number): number =>
  76 + 3 * wave(seconds, 1260, phase + 0.3) + 16 * defrost(seconds, phase);
