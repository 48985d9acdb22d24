import type { EmbeddedServer } from '../../src/embedded/server-process.js';

/** A server that can be killed and started again on the same port with the same data. */
export interface ServerOfOurs {
  url: string;
  readonly pid: number;
  kill(): void;
  /** As an administrator does it: it ends in order. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function keepServer(
  start: (port?: number) => Promise<EmbeddedServer | undefined>,
): Promise<ServerOfOurs> {
  let server = await start();
  if (!server) throw new Error('a server could not be started: install redis-server');
  const { url, port } = server;
  return {
    url,
    get pid() {
      return server?.pid ?? 0;
    },
    kill: () => process.kill(server?.pid ?? 0, 'SIGKILL'),
    stop: async () => {
      await server?.stop();
    },
    start: async () => {
      server = await start(port);
    },
  };
}
