import { expect } from 'chai';
import fc from 'fast-check';
import {
  booleanOf,
  fieldsOf,
  listOf,
  mapOf,
  numberOf,
  textOf,
  timeOf,
} from '../../src/thermoworks/firestore-value.js';

describe('Firestore values', () => {
  const numbers: [unknown, number | null][] = [
    [{ doubleValue: 71.3 }, 71.3],
    [{ doubleValue: 72 }, 72],
    [{ doubleValue: 36.900001525878906 }, 36.900001525878906],
    [{ integerValue: '72' }, 72],
    [{ integerValue: '-72' }, -72],
    [{ integerValue: 72 }, 72],
    [{ stringValue: '67.000' }, 67],
    [{ doubleValue: '-12.5' }, -12.5],
    [{ doubleValue: 'NaN' }, null],
    [{ doubleValue: 'Infinity' }, null],
    [{ doubleValue: '-Infinity' }, null],
    [{ doubleValue: Number.POSITIVE_INFINITY }, null],
    [{ stringValue: '' }, null],
    [{ stringValue: '0x10' }, null],
    [{ stringValue: '12 °F' }, null],
    [{ stringValue: '1e400' }, null],
    [{ integerValue: ['1'] }, null],
    [{ nullValue: null }, null],
    [{ nullValue: 'NULL_VALUE' }, null],
    [{ booleanValue: true }, null],
    [{ newValue: 1 }, null],
    [{}, null],
    [null, null],
    [undefined, null],
    [72, null],
  ];
  for (const [value, expected] of numbers) {
    it(`reads ${JSON.stringify(value)} as the number ${expected}`, () => {
      expect(numberOf(value)).to.equal(expected);
    });
  }

  const times: [unknown, string | null][] = [
    [{ timestampValue: '2026-11-20T10:15:07Z' }, '2026-11-20T10:15:07.000Z'],
    [{ timestampValue: '2026-11-20T10:15:07.7Z' }, '2026-11-20T10:15:07.700Z'],
    [{ timestampValue: '2026-11-20T10:15:07.702Z' }, '2026-11-20T10:15:07.702Z'],
    [{ timestampValue: '2026-11-20T10:15:07.702999Z' }, '2026-11-20T10:15:07.702Z'],
    [{ timestampValue: '2026-11-20T10:15:07.702999999Z' }, '2026-11-20T10:15:07.702Z'],
    [{ stringValue: '2026-11-20T10:15:10.455Z' }, '2026-11-20T10:15:10.455Z'],
    [{ stringValue: '2026-11-20T12:15:10+02:00' }, '2026-11-20T10:15:10.000Z'],
    [{ timestampValue: '2026-13-20T10:15:07Z' }, null],
    [{ timestampValue: '2026-11-20' }, null],
    [{ timestampValue: '9999-12-31T23:59:59.999Z' }, '9999-12-31T23:59:59.999Z'],
    [{ timestampValue: '9999-12-31T23:59:59-00:01' }, null],
    [{ timestampValue: '0001-01-01T00:00:00+00:01' }, null],
    [{ timestampValue: 'yesterday' }, null],
    [{ integerValue: '1795000000000' }, null],
    [{ nullValue: null }, null],
    [undefined, null],
  ];
  for (const [value, expected] of times) {
    it(`reads ${JSON.stringify(value)} as the instant ${expected}`, () => {
      expect(timeOf(value)?.toISOString() ?? null).to.equal(expected);
    });
  }

  it('reads booleans also where they are numbers', () => {
    expect(booleanOf({ booleanValue: false })).to.equal(false);
    expect(booleanOf({ integerValue: '0' })).to.equal(false);
    expect(booleanOf({ integerValue: 1 })).to.equal(true);
    expect(booleanOf({ nullValue: null })).to.equal(null);
    expect(booleanOf(undefined)).to.equal(null);
  });

  it('takes an empty map, array or document as empty', () => {
    expect(mapOf({ mapValue: {} })).to.deep.equal({});
    expect(listOf({ arrayValue: {} })).to.deep.equal([]);
    expect(fieldsOf({ name: 'x' })).to.deep.equal({});
    expect(mapOf({ mapValue: { fields: { a: { stringValue: 'b' } } } })).to.have.key('a');
    expect(listOf({ arrayValue: { values: [1] } })).to.deep.equal([1]);
  });

  it('never throws', () => {
    const key = fc.constantFrom(
      'stringValue',
      'doubleValue',
      'timestampValue',
      'mapValue',
      'arrayValue',
      'fields',
    );
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(key, fc.anything()), fc.anything()), (value) => {
        for (const read of [numberOf, textOf, booleanOf, timeOf, mapOf, listOf, fieldsOf]) read(value);
      }),
    );
  });
});
