import { expect } from 'chai';
import { limitedWarning } from '../src/logger.js';
import { captureLog } from './support/captured-log.js';

describe('limitedWarning', () => {
  it('says once in ten seconds what happens all the time', () => {
    const { logger, entries } = captureLog();
    const warn = limitedWarning(logger.child({ task: 'relay' }), 'it failed');
    for (let time = 0; time < 1_000; time++) warn('no connection');
    expect(entries).to.deep.equal([
      { level: 'warn', message: 'it failed', task: 'relay', err: 'no connection' },
    ]);
  });
});
