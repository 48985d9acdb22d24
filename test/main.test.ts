import { expect } from 'chai';
import { Lifecycle } from '../src/lifecycle.js';
import { runProcess } from '../src/main.js';
import { captureLog } from './support/captured-log.js';
import { waitFor } from './support/wait-for.js';

describe('lifecycle', () => {
  it('closes in reverse, one after the other, everything even after a failure, and once', async () => {
    const lifecycle = new Lifecycle();
    const closed: string[] = [];
    for (const name of ['first', 'second', 'third'])
      lifecycle.onClose(name, async () => {
        await Promise.resolve();
        closed.push(`${name} (${lifecycle.pending})`);
        if (name === 'second') throw new Error('stuck');
      });
    const both = await Promise.allSettled([lifecycle.close(), lifecycle.close()]);
    expect(closed).to.deep.equal(['third (third)', 'second (second)', 'first (first)']);
    expect(both.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    const [outcome] = both;
    const errors = outcome?.status === 'rejected' ? outcome.reason.errors : [];
    expect(errors.map(String)).to.deep.equal(['Error: closing second failed']);
  });
});

describe('process', () => {
  const log = captureLog();
  const started = (close: () => unknown) => {
    const lifecycle = new Lifecycle();
    lifecycle.onClose('the work', close);
    return async () => ({ lifecycle });
  };
  const signal = (name: 'SIGTERM' | 'SIGINT' | 'SIGHUP' = 'SIGTERM') => process.emit(name, name);
  const never = new Promise<never>(() => undefined);
  const listeners = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  let before: number;
  let mochas: NodeJS.SignalsListener[];

  beforeEach(() => {
    log.entries.length = 0;
    mochas = process.listeners('SIGINT');
    process.removeAllListeners('SIGINT');
    before = listeners();
  });
  afterEach(() => {
    expect(listeners()).to.equal(before);
    for (const listener of mochas) process.on('SIGINT', listener);
  });

  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    it(`ends with 0 when all was drained after ${name}`, async () => {
      let closed = 0;
      const code = runProcess(
        started(() => (closed += 1)),
        log.logger,
      );
      signal(name);
      expect([await code, closed]).to.deep.equal([0, 1]);
    });
  it('ends with 1 when closing failed, and says why', async () => {
    const code = runProcess(
      started(() => {
        throw new Error('no');
      }),
      log.logger,
    );
    signal();
    expect(await code).to.equal(1);
    expect(log.entries.map(({ message }) => message)).to.deep.equal([
      'stopping',
      'closing failed',
      'not drained',
    ]);
  });
  it('ends with 1 at the deadline, and says what still closes', async () => {
    const code = runProcess(
      started(() => never),
      log.logger,
      { shutdownMs: 20 },
    );
    signal();
    expect(await code).to.equal(1);
    expect(log.entries.at(-1)).to.include({ outcome: 'deadline', stillClosing: 'the work' });
  });
  it('ends with 1 at once on a second signal', async () => {
    const code = runProcess(
      started(() => never),
      log.logger,
    );
    signal();
    await waitFor(() => log.entries.some(({ message }) => message === 'stopping'));
    signal();
    expect(await code).to.equal(1);
    expect(log.entries.at(-1)).to.include({ outcome: 'second signal', stillClosing: 'the work' });
  });
  it('ends with 0 when it was told to while it waited for its servers', async () => {
    const waits = (aborted: AbortSignal) =>
      new Promise<never>((_, reject) => {
        aborted.addEventListener('abort', () => reject(aborted.reason));
      });
    const code = runProcess(waits, log.logger);
    signal();
    expect(await code).to.equal(0);
  });
  it('ends by the deadline, or a second signal, also when the start hangs', async () => {
    const late = runProcess(() => never, log.logger, { shutdownMs: 20 });
    signal();
    expect(await late).to.equal(1);
    const impatient = runProcess(() => never, log.logger);
    signal();
    signal();
    expect(await impatient).to.equal(1);
  });
  it('closes what was started when the signal came in the middle of the start', async () => {
    let closed = 0;
    const lifecycle = new Lifecycle();
    lifecycle.onClose('the work', () => (closed += 1));
    let ready: (app: { lifecycle: Lifecycle }) => void = () => undefined;
    const code = runProcess(() => new Promise((done) => (ready = done)), log.logger);
    signal();
    ready({ lifecycle });
    expect([await code, closed]).to.deep.equal([0, 1]);
  });
  it('fails with the error of its start', async () => {
    const failing = runProcess(() => Promise.reject(new Error('no database')), log.logger);
    expect(String(await failing.catch((error: unknown) => error))).to.equal('Error: no database');
  });
});
