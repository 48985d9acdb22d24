import { type Program, startProgram } from '../e2e/program.js';
import { freePort } from '../support/servers.js';
import { waitFor } from '../support/wait-for.js';

/** How a process of ours ended: its exit code or the signal. */
type End = number | NodeJS.Signals | null;

/** A `grill-stats run` that is started again whenever it ends by itself or is killed, as every deployment does. */
export interface Supervised {
  readonly name: string;
  readonly pid: number;
  /** How often it ended without having been asked to, by `kill` or `stop`. */
  readonly crashes: number;
  /** All that it ever wrote, of every life. */
  output(): string;
  isReady(): Promise<boolean>;
  get(path: string): Promise<{ status: number; text: string }>;
  /** SIGKILL; resolves when it is gone. It is started again at once, unless `stay` is set: then by `start`. */
  kill(options?: { stay?: boolean }): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and waits for the end; it stays down until `start`. */
  stop(signal?: NodeJS.Signals): Promise<End>;
  start(): Promise<void>;
  ready(timeoutMs?: number): Promise<void>;
}

export async function supervise(name: string, args: string[], env: NodeJS.ProcessEnv): Promise<Supervised> {
  const port = await freePort();
  let program: Program | undefined;
  let isWanted = false;
  let isExpected = false;
  let crashes = 0;
  const written: (() => string)[] = [];

  const launch = () => {
    isWanted = true;
    isExpected = false;
    const life = startProgram(['run', ...args, '--json'], { ...env, OPS_PORT: `${port}` });
    program = life;
    written.push(() => `${life.output.stdout}${life.output.stderr}`);
    void life.ended.then(() => {
      if (program !== life || !isWanted) return;
      if (!isExpected) crashes += 1;
      launch();
    });
  };
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) });
    return { status: response.status, text: await response.text() };
  };
  const isReady = async () => {
    try {
      return (await get('/health/ready')).status === 200;
    } catch {
      return false;
    }
  };
  const supervised: Supervised = {
    name,
    get pid() {
      return program?.pid ?? 0;
    },
    get crashes() {
      return crashes;
    },
    output: () => written.map((text) => text()).join(''),
    isReady,
    get,
    async kill({ stay = false } = {}) {
      const life = program;
      isExpected = true;
      isWanted = !stay;
      life?.child.kill('SIGKILL');
      await life?.ended;
    },
    signal: (signal) => program?.child.kill(signal),
    async stop(signal = 'SIGTERM') {
      isWanted = false;
      return (await program?.stop(signal)) ?? null;
    },
    start: async () => launch(),
    async ready(timeoutMs = 60_000) {
      await waitFor(isReady, { timeoutMs, everyMs: 100, what: `${name} to be ready` });
    },
  };
  launch();
  return supervised;
}
