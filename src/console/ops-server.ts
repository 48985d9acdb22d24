import type { FastifyInstance } from 'fastify';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';
import { createHealthCheck, type HealthSources, healthOf, isHealthy } from './health.js';
import { createHttpServer, listen, type RunningServer } from './http.js';

/** The paths that need no sign-in anywhere: they say yes or no, and whether it is for the canary. */
export const OPEN_PATHS: readonly string[] = ['/health/live', '/health/ready'];

const KEPT_BY = {
  queue: 'it could not be sent (database or queue)',
  worker: 'no worker has ingested it and fired its alert',
  notifier: 'no notifier has delivered it',
};

/** Health and metrics, as every process and the console serve them. */
export function addOpsRoutes(
  app: FastifyInstance,
  { metrics, ...sources }: HealthSources & { metrics: Metrics },
): void {
  const check = createHealthCheck(sources);
  app.get('/health/live', async () => ({ status: 'live' }));
  app.get('/health/ready', async (_request, reply) => {
    const findings = await check.essentials();
    if (isHealthy(findings)) return reply.send({ status: 'ready' });
    const reason = findings.canary?.isLate && {
      reason: `the canary is late: ${KEPT_BY[findings.canary.stage]}`,
    };
    return reply.status(503).send({ status: 'unready', ...reason });
  });
  app.get('/health', async (_request, reply) => {
    const findings = await check.everything();
    return reply.status(isHealthy(findings) ? 200 : 503).send(healthOf(findings));
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text(await check.everything())),
  );
}

/** Health and metrics of one process on a port of their own, for its container and its operator; no sign-in. */
export function startOpsServer({
  config: { host, port },
  logger,
  ...sources
}: HealthSources & {
  config: { host: string; port: number };
  logger: Logger;
  metrics: Metrics;
}): Promise<RunningServer> {
  const app = createHttpServer(logger);
  addOpsRoutes(app, sources);
  return listen(app, { host, port, variable: 'OPS_PORT' });
}
