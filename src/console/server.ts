import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';
import type { Logger } from '../logger.js';
import type { Metrics } from '../metrics.js';
import type { LinkSigner } from '../notifications/action-link.js';
import type { Queues } from '../queues/backend.js';
import { QUEUE_NAMES } from '../queues/jobs.js';
import { ACTION_PATH, addActionRoutes } from './actions.js';
import type { HealthSources } from './health.js';
import { createHttpServer, errorAnswer, listen, type RunningServer } from './http.js';
import { addOpsRoutes, OPEN_PATHS } from './ops-server.js';
import { loadOverview } from './overview.js';
import { renderPage } from './page.js';
import { createSignIn, isChange, isForeignChange } from './sign-in.js';

export interface ConsoleOptions extends HealthSources {
  /** `port` undefined: 8080 or the next free one. */
  config: { host: string; port?: number; token: string; publicUrl?: string };
  /** Of links in messages. */
  links: LinkSigner;
  metrics: Metrics;
  logger: Logger;
  now?: () => Date;
}

const QUEUES_PATH = '/queues';
const ASSETS = { 'console.css': 'text/css', 'live.js': 'text/javascript', 'favicon.svg': 'image/svg+xml' };

/** Nothing is loaded from elsewhere; bull-board needs inline styles and images in URLs. */
const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    baseUri: ["'self'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
    imgSrc: ["'self'", 'data:'],
    objectSrc: ["'none'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
  },
};

/**
 * The operator's pages: live probes, the queue dashboard, health and metrics. All but the two open health paths need
 * the console token.
 * @throws Error naming the port if it was given and is taken
 */
export async function startConsole(options: ConsoleOptions): Promise<RunningServer> {
  const app = await createConsole(options);
  const { host, port, publicUrl } = options.config;
  const { url, close } = await listen(app, { host, port, variable: 'HTTP_PORT' });
  return { url: publicUrl ?? url, close };
}

/** The console before it listens. */
export async function createConsole(options: ConsoleOptions): Promise<FastifyInstance> {
  const { config, logger, dataSource, queues, links, now = () => new Date() } = options;
  const app = createHttpServer(logger);
  // Whether this is reached by https is its proxy's to say.
  await app.register(helmet, {
    contentSecurityPolicy: CONTENT_SECURITY_POLICY,
    strictTransportSecurity: false,
  });
  const signIn = createSignIn(config.token);
  app.addHook('onRequest', async (request, reply) => {
    const path = request.routeOptions.url ?? '';
    if (OPEN_PATHS.includes(path)) return undefined;
    if (isForeignChange(request, config.publicUrl)) return reply.status(403).send({ error: 'Forbidden' });
    if (path === ACTION_PATH) return undefined;
    return signIn(request, reply);
  });
  app.addHook('onResponse', async (request, { statusCode }) => {
    if (!isChange(request) || statusCode >= 400) return;
    // The token of a link is no business of a log.
    if (request.routeOptions.url === ACTION_PATH) logger.info('the link of a message was used');
    else
      logger.info('operator changed something', { method: request.method, path: request.url.split('?')[0] });
  });
  addOpsRoutes(app, options);
  await addAssets(app);
  await addActionRoutes(app, { dataSource, links, now });
  await app.register(queueDashboard(queues), { prefix: QUEUES_PATH });
  app.get('/', async (_request, reply) => {
    const at = now();
    return reply.type('text/html; charset=utf-8').send(renderPage(await loadOverview(dataSource, at), at));
  });
  return app;
}

function queueDashboard(queues: Queues) {
  const adapter = new FastifyAdapter().setBasePath(QUEUES_PATH);
  createBullBoard({
    queues: QUEUE_NAMES.map((name) => new BullMQAdapter(queues[name])),
    serverAdapter: adapter,
    options: {
      uiConfig: { boardTitle: 'Grill Stats', hideRedisDetails: true, showWorkers: false, hideDocsLink: true },
    },
  });
  // In the form that its page expects, without the message, which could quote anything.
  adapter.setErrorHandler((error) => ({
    status: errorAnswer(error).status < 500 ? 400 : 500,
    body: { error: { key: 'ERRORS.INTERNAL_SERVER_ERROR' } },
  }));
  return adapter.registerPlugin();
}

async function addAssets(app: FastifyInstance): Promise<void> {
  for (const [name, type] of Object.entries(ASSETS)) {
    const content = await readFile(join(import.meta.dirname, 'assets', name), 'utf8');
    app.get(`/${name}`, (_request, reply) =>
      reply.type(`${type}; charset=utf-8`).header('cache-control', 'private, max-age=300').send(content),
    );
  }
}
