import { expect } from 'chai';
import { Client, DatabaseError } from 'pg';
import { QueryFailedError } from 'typeorm';
import { PermanentError, sqlStateOf } from '../../src/errors.js';
import { insist, isOutage } from '../../src/worker/outage.js';
import { freePort } from '../support/servers.js';

function sqlError(code: string): QueryFailedError {
  const cause = new DatabaseError('as PostgreSQL says it', 1, 'error');
  cause.code = code;
  return new QueryFailedError('SELECT', [], cause);
}

function systemError(code: string, message = ''): Error {
  return Object.assign(new Error(message), { code });
}

describe('isOutage', () => {
  for (const [code, what] of [
    ['08006', 'a lost connection'],
    ['28P01', 'a password that was changed'],
    ['3D000', 'a database that is being restored'],
    ['40001', 'a serialisation failure'],
    ['40P01', 'a deadlock'],
    ['53100', 'a full disk'],
    ['53300', 'too many connections'],
    ['57014', 'a statement that took too long'],
    ['57P01', 'a shutdown'],
    ['57P03', 'a server that starts'],
    ['58030', 'an I/O error'],
    ['25006', 'a read-only standby'],
    ['25P03', 'a transaction that idled too long'],
    ['55P03', 'a lock that was not to be had'],
  ] as const)
    it(`is ${what} (${code})`, () => expect(isOutage(sqlError(code))).to.equal(true));

  for (const [code, what] of [
    ['22003', 'a number out of range'],
    ['22021', 'a NUL in a text'],
    ['23505', 'a key that is there already'],
    ['23514', 'a check'],
    ['42P01', 'a table that is not there'],
    ['XX000', 'an internal error'],
  ] as const)
    it(`is not ${what} (${code})`, () => expect(isOutage(sqlError(code))).to.equal(false));

  for (const error of [
    systemError('ECONNREFUSED'),
    Object.assign(new AggregateError([systemError('ECONNREFUSED')]), { code: 'ECONNREFUSED' }),
    systemError('EPIPE', 'write EPIPE'),
    systemError('ECONNRESET', 'read ECONNRESET'),
    systemError('EAI_AGAIN', 'getaddrinfo EAI_AGAIN postgres'),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    new Error('Query read timeout'),
    new Error('Query runner already released. Cannot run queries anymore.'),
  ])
    it(`is ${error.name} ${'code' in error ? error.code : ''} "${error.message}"`, () => {
      expect(sqlStateOf(error)).to.equal(undefined);
      expect(isOutage(error)).to.equal(true);
    });

  it('is no fault of ours or of the data', () => {
    expect(
      [new TypeError('x is undefined'), new PermanentError('no'), 'text', undefined].map(isOutage),
    ).to.deep.equal([false, false, false, false]);
  });

  it('is what pg throws where nobody listens, by address and by name', async () => {
    const port = await freePort();
    for (const host of ['127.0.0.1', 'localhost']) {
      const error: unknown = await new Client({ host, port, user: 'nobody' }).connect().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(isOutage(error)).to.equal(true);
    }
  });
});

describe('insist', () => {
  const outage = systemError('ECONNREFUSED');
  /** Fails so often, each time with this. */
  const failing = (times: number, error: unknown, onTry: (tries: number) => void = () => undefined) => {
    let tries = 0;
    return async () => {
      tries += 1;
      onTry(tries);
      if (tries <= times) throw error;
      return tries;
    };
  };
  const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(String, (reason: unknown) => reason);

  it('tries again while our own database is away', async () => {
    expect(await insist(failing(2, outage), 60_000)).to.equal(3);
  });

  it('leaves what is no outage, and ends with its time', async () => {
    const fault = new TypeError('x is undefined');
    expect(await reasonOf(insist(failing(1, fault), 60_000))).to.equal(fault);
    expect(await reasonOf(insist(failing(1, outage), -1))).to.equal(outage);
  });

  it('ends with its process', async () => {
    const ending = new AbortController();
    const work = failing(2, outage, (tries) => tries === 2 && ending.abort());
    expect(await reasonOf(insist(work, 60_000, ending.signal))).to.equal(outage);
  });
});
