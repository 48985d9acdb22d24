import { STATUS_CODES } from 'node:http';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import type { Logger } from '../logger.js';

export interface RunningServer {
  /** Where it listens, as a loopback address where that is all addresses. */
  url: string;
  close: () => Promise<void>;
}

const NEXT_PORTS = 100;

/**
 * A server with small limits on what a client may send and how long it may take. Answers that go wrong are JSON and
 * say no more than the status does.
 */
export function createHttpServer(logger: Logger): FastifyInstance {
  const app = Fastify({
    bodyLimit: 64 * 1024,
    requestTimeout: 20_000,
    keepAliveTimeout: 15_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    forceCloseConnections: true,
    trustProxy: false,
    // What stands in a signed link is longer than a name.
    routerOptions: { maxParamLength: 500 },
    logger: false,
  });
  app.server.maxConnections = 1_000;
  // A form of another site can send text/plain without asking first.
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, body } = errorAnswer(error);
    if (status >= 500) logger.error('request failed', { err: error, route: request.routeOptions.url });
    return reply.status(status).send(body);
  });
  app.setNotFoundHandler((_request, reply) => reply.status(404).send({ error: 'Not Found' }));
  app.addHook('onSend', async (_request, reply) => {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store');
  });
  return app;
}

/** What a client may hear of an error: its status. */
export function errorAnswer(error: Error): { status: number; body: { error: string } } {
  const given = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500;
  const status = given >= 400 && given < 600 ? given : 500;
  return { status, body: { error: STATUS_CODES[status] ?? 'Error' } };
}

/**
 * Binds `port`, or, where none is given, the first free one from `firstPort` on.
 * @throws Error that names `port` and `variable` if it is taken
 */
export async function listen(
  app: FastifyInstance,
  {
    host,
    port,
    firstPort = 8080,
    variable,
  }: { host: string; port?: number; firstPort?: number; variable: string },
): Promise<RunningServer> {
  const wanted = port === undefined ? Array.from({ length: NEXT_PORTS }, (_, n) => firstPort + n) : [port];
  for (const candidate of wanted) {
    try {
      await app.listen({ host, port: candidate });
      return { url: urlOf(host, candidate), close: () => app.close() };
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') continue;
      await app.close();
      throw new Error(`listening on ${host} port ${candidate} failed`, { cause: error });
    }
  }
  await app.close();
  throw new Error(
    `${variable}: port ${port ?? `${firstPort} and the next ${NEXT_PORTS - 1}`} of ${host} is taken`,
  );
}

function urlOf(host: string, port: number): string {
  const reachable =
    { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host);
  return `http://${reachable}:${port}`;
}
