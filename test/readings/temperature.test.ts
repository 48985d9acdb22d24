import { expect } from 'chai';
import fc from 'fast-check';
import { roundToHundredth, toHundredths } from '../../src/readings/sample.js';
import {
  convertDifference,
  convertHundredths,
  isTemperature,
  toCelsius,
} from '../../src/readings/temperature.js';

/** Exactly 0 and not -0, which equals it but prints otherwise. */
const isPlainZero = (value: number) => Object.is(value, 0);

describe('hundredths', () => {
  for (const [value, hundredths] of [
    [203.2, 20_320],
    [0.005, 1],
    [0.004, 0],
    [-0.005, -1],
    [-0.004, 0],
    [1.005, 101], // 1.00499999999999989… as a double
    [-1.005, -101],
    [36.900001525878906, 3_690], // 36.9 in single precision
    [-17.799999237060547, -1_780],
    [98.5999984741211, 9_860],
    [-40, -4_000],
    [1832, 183_200],
    [-0, 0],
  ] as const)
    it(`of ${Object.is(value, -0) ? '-0' : value} are ${hundredths}`, () => {
      expect(toHundredths(value)).to.equal(hundredths);
      expect(roundToHundredth(value)).to.equal(hundredths / 100);
      if (hundredths === 0)
        expect([toHundredths(value), roundToHundredth(value)].every(isPlainZero)).to.equal(true);
    });

  it('are the same for a number with two decimals and for its single-precision neighbour', () => {
    fc.assert(
      fc.property(fc.integer({ min: -183_200, max: 183_200 }), (hundredths) => {
        expect(toHundredths(hundredths / 100)).to.equal(hundredths);
        expect(toHundredths(Math.fround(hundredths / 100))).to.equal(hundredths);
        expect(toHundredths(-hundredths / 100) + toHundredths(hundredths / 100)).to.equal(0);
      }),
    );
  });
});

describe('conversion of hundredths', () => {
  for (const [celsius, fahrenheit] of [
    [0, 3_200],
    [10_000, 21_200],
    [-4_000, -4_000],
    [-27_315, -45_967],
    [1, 3_202], // 32.018
    [3, 3_205], // 32.054
    [-1_778, 0], // -0.004
    [-1_777, 1], // 0.014
    [-1_779, -2], // -0.022
    [3_778, 10_000], // 100.004
    [3_779, 10_002], // 100.022
  ] as const)
    it(`takes ${celsius / 100} °C for ${fahrenheit / 100} °F`, () => {
      const converted = convertHundredths(celsius, 'C', 'F');
      expect(converted).to.equal(fahrenheit);
      if (fahrenheit === 0) expect(isPlainZero(converted)).to.equal(true);
    });

  for (const [fahrenheit, celsius] of [
    [3_200, 0],
    [-4_000, -4_000],
    [20_320, 9_511], // 95.111…
    [3_201, 1], // 0.00555…
    [3_199, -1],
    [0, -1_778], // -17.777…
    [10_000, 3_778], // 37.777…
  ] as const)
    it(`takes ${fahrenheit / 100} °F for ${celsius / 100} °C`, () => {
      expect(convertHundredths(fahrenheit, 'F', 'C')).to.equal(celsius);
    });

  it('is the nearest integer, half away from zero, for every integer', () => {
    // Another way to the same number: BigInt division of the doubled fraction.
    const nearest = (numerator: bigint, denominator: bigint) => {
      const size = numerator < 0n ? -numerator : numerator;
      const rounded = (2n * size + denominator) / (2n * denominator);
      return Number(numerator < 0n ? -rounded : rounded);
    };
    fc.assert(
      fc.property(fc.integer({ min: -10_000_000, max: 10_000_000 }), (h) => {
        expect(convertHundredths(h, 'C', 'F')).to.equal(nearest(9n * BigInt(h) + 16_000n, 5n));
        expect(convertHundredths(h, 'F', 'C')).to.equal(nearest(5n * (BigInt(h) - 3_200n), 9n));
        expect(convertHundredths(h, 'F', 'F')).to.equal(h);
      }),
    );
  });

  it('comes back from Fahrenheit, whose steps are finer, and keeps the order', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000, max: 100_000 }), (h) => {
        expect(convertHundredths(convertHundredths(h, 'C', 'F'), 'F', 'C')).to.equal(h);
        expect(convertHundredths(h + 1, 'F', 'C')).to.be.at.least(convertHundredths(h, 'F', 'C'));
      }),
    );
  });

  it('leaves out the offset of 32 for differences, and knows what is a temperature', () => {
    expect(convertDifference(5, 'C', 'F')).to.equal(9);
    expect(convertDifference(9, 'F', 'C')).to.equal(5);
    expect(convertDifference(9, 'F', 'F')).to.equal(9);
    expect(toCelsius(21_200, 'F')).to.equal(100);
    expect(toCelsius(9_511, 'C')).to.equal(95.11);
    expect((['F', 'C', 'H'] as const).map(isTemperature)).to.deep.equal([true, true, false]);
  });
});
