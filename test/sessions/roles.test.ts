import { expect } from 'chai';
import { detectsCooks, effectiveRole } from '../../src/sessions/roles.js';
import { deviceFacts, probeFacts } from '../support/traces.js';

describe('effectiveRole', () => {
  const guess = (label: string | null, more = {}) =>
    effectiveRole(deviceFacts([], more), probeFacts(1, label));

  it('guesses a pit from its label', () => {
    const labels = ['Pit', 'GRILL left', 'my smoker', 'Ambient', 'air', 'Pit1', 'pit_2', 'Grill-Rost'];
    expect(labels.map((label) => guess(label))).to.deep.equal(labels.map(() => 'pit'));
  });

  it('guesses food from anything else, also from words that only contain one', () => {
    const labels = ['Point', '', null, 'grilled chicken', 'spit roast', 'stairs', 'pita', 'airline chicken'];
    expect(labels.map((label) => guess(label))).to.deep.equal(labels.map(() => 'food'));
  });

  it("takes an RFX gateway's probe for the pit, and a logger's for storage whatever its label", () => {
    expect(guess('', { type: 'rfx', model: 'rfx gateway' })).to.equal('pit');
    expect(guess('', { type: 'rfx', model: 'rfx meat' })).to.equal('food');
    const loggers = [{ type: 'datalogger' }, { model: 'Node' }, { model: 'ThermaData WiFi' }];
    expect(loggers.map((logger) => guess('Air', logger))).to.deep.equal(['storage', 'storage', 'storage']);
  });

  it('takes what the user set before any guess', () => {
    const device = deviceFacts([], { type: 'datalogger' });
    expect(effectiveRole(device, probeFacts(1, 'Pit', { role: 'food' }))).to.equal('food');
  });
});

describe('detectsCooks', () => {
  it('says no to loggers, and to devices with nothing but storage', () => {
    const pit = probeFacts(1, 'Pit', { role: 'pit' });
    const fridge = probeFacts(2, 'Fridge', { role: 'storage' });
    const humidity = probeFacts(3, 'Pit', { kind: 'humidity' });
    expect(detectsCooks(deviceFacts([pit, fridge]))).to.equal(true);
    expect(detectsCooks(deviceFacts([fridge, humidity]))).to.equal(false);
    expect(detectsCooks(deviceFacts([]))).to.equal(false);
    const loggers = [{ type: 'datalogger' }, { type: 'NODE' }, { model: 'node' }, { type: 'ThermaData' }];
    expect(loggers.map((logger) => detectsCooks(deviceFacts([pit], logger)))).to.not.include(true);
  });
});
