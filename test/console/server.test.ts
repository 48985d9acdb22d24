import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect } from 'chai';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, listen } from '../../src/console/http.js';
import { startConsole } from '../../src/console/server.js';
import { createMetrics } from '../../src/metrics.js';
import { createWorker } from '../../src/queues/backend.js';
import { BEARER, consoleOver, LINKS, logger, openSources, type Sources, TOKEN } from './console.js';
import { portOf } from './flaky-proxy.js';

const JOB = { tick: '2026-11-21T12:00:00.000Z' };
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

interface Asked {
  url: string;
  method?: (typeof METHODS)[number];
  headers?: Record<string, string>;
  remoteAddress?: string;
  payload?: string;
}

/** Each method and path that the router knows, with something in the place of parameters, from its printed tree. */
function routesOf(app: FastifyInstance): Asked[] {
  const path: string[] = [];
  return app
    .printRoutes()
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods = ''] =
        /^([│ ]*)[├└]── (\S*) ?(?:\(([A-Z, ]+)\))?/.exec(line) ?? [];
      path.splice(indent.length / 4, path.length, part);
      const url = path.join('').replace(/:\w+|\*/g, 'x');
      return METHODS.filter((method) => methods.split(', ').includes(method)).map((method) => ({
        method,
        url,
      }));
    });
}

describe('the console', () => {
  let sources: Sources;
  let app: FastifyInstance;

  before(async () => {
    sources = await openSources();
  });
  after(() => sources.close());
  beforeEach(async () => {
    app = await consoleOver(sources, 'https://grill.example.com');
  });
  afterEach(() => app.close());

  const statusOf = async (asked: Asked) => (await app.inject(asked)).statusCode;

  describe('sign-in', () => {
    it('is asked for on every route but the two that say only yes or no', async () => {
      await app.ready();
      const routes = routesOf(app);
      expect(routes.map(({ url }) => url)).to.include.members([
        '/',
        '/metrics',
        '/queues/',
        '/queues/api/queues/x/x/retry',
        '/queues/static/x',
      ]);
      expect(routes.length).to.be.greaterThan(50);
      for (const route of routes) {
        if (route.url === '/actions/x') continue; // what stands in it is the sign-in
        const isOpen = ['/health/live', '/health/ready'].includes(route.url);
        // A change without a sign of where it comes from is refused before the token is looked at.
        const expected = isOpen ? 200 : /GET|HEAD/.test(route.method ?? '') ? 401 : 403;
        expect(
          await statusOf({ ...route, remoteAddress: '10.0.0.1' }),
          `${route.method} ${route.url}`,
        ).to.equal(expected);
        if (expected !== 403) continue;
        const sameOrigin = { 'sec-fetch-site': 'same-origin' };
        expect(await statusOf({ ...route, headers: sameOrigin }), `${route.method} ${route.url}`).to.equal(
          401,
        );
      }
    });

    it('is asked for on paths that do not exist', async () => {
      expect(await statusOf({ url: '/nowhere' })).to.equal(401);
      expect((await app.inject({ url: '/nowhere', headers: BEARER })).json()).to.deep.equal({
        error: 'Not Found',
      });
    });

    it('takes the token as bearer token, or as password of operator', async () => {
      const tries = [
        BEARER,
        basic('operator', TOKEN),
        basic('root', TOKEN),
        basic('operator', `${TOKEN}x`),
        { authorization: TOKEN },
      ];
      const statuses = [];
      for (const headers of tries) statuses.push(await statusOf({ url: '/health', headers }));
      expect(statuses).to.deep.equal([200, 200, 401, 401, 401]);
      expect((await app.inject('/')).headers['www-authenticate']).to.match(/^Basic realm=/);
    });

    it('stops listening to an address that guesses, and only to that one', async () => {
      const guess = { url: '/', headers: { authorization: 'Bearer wrong' }, remoteAddress: '10.0.0.7' };
      const statuses = new Set<number>();
      for (let n = 0; n < 20; n++) statuses.add(await statusOf(guess));
      expect([...statuses]).to.deep.equal([401]);
      expect(await statusOf(guess)).to.equal(429);
      expect(await statusOf({ ...guess, headers: BEARER })).to.equal(429);
      expect(await statusOf({ ...guess, headers: BEARER, remoteAddress: '10.0.0.8' })).to.equal(200);
    });

    it('does not count a browser that has not been asked yet', async () => {
      for (let n = 0; n < 40; n++) expect(await statusOf({ url: '/' })).to.equal(401);
    });
  });

  describe('the queue dashboard', () => {
    it('shows page, API and files to the operator', async () => {
      const page = await app.inject({ url: '/queues', headers: BEARER });
      const [, script] = /src="(static\/[^"]+)"/.exec(page.body) ?? [];
      const file = await app.inject({ url: `/queues/${script}`, headers: BEARER });
      const api = await app.inject({ url: '/queues/api/queues', headers: BEARER });
      expect([page.statusCode, file.statusCode, api.statusCode]).to.deep.equal([200, 200, 200]);
      expect(api.json().queues.map(({ name }: { name: string }) => name)).to.have.members([
        'readings',
        'notifications',
        'backfill',
        'maintenance',
      ]);
      expect(await statusOf({ url: '/queues/api/redis/stats', headers: BEARER })).to.equal(403);
      expect(await statusOf({ url: `/queues/${script}` })).to.equal(401);
    });

    it('lets the operator run a failed job again', async () => {
      const job = await failedJob(sources);
      const retry = { method: 'PUT' as const, url: `/queues/api/queues/maintenance/${job.id}/retry` };
      expect(await statusOf({ ...retry, headers: { origin: 'https://evil.example' } })).to.equal(403);
      expect(await job.getState()).to.equal('failed');
      expect(await statusOf({ ...retry, headers: BEARER })).to.be.within(200, 204);
      expect(await job.getState()).to.equal('waiting');
    });

    it('says nothing of what went wrong inside', async () => {
      const url = '/queues/api/queues/maintenance/nothing/retry';
      const answer = await app.inject({ method: 'PUT', url, headers: BEARER, payload: '{"a":' });
      expect(answer.body).not.to.match(/at \/|node_modules|SELECT|Redis/);
    });
  });

  describe('changes that another site asks for', () => {
    const change = { method: 'PUT' as const, url: '/queues/api/queues/pause' };
    const refused: Record<string, Record<string, string>> = {
      'a foreign origin': { ...BEARER, origin: 'https://evil.example' },
      'no origin, with a password that a browser adds': basic('operator', TOKEN),
      'an origin that is hidden': { ...basic('operator', TOKEN), origin: 'null' },
      'a neighbour site': { ...basic('operator', TOKEN), 'sec-fetch-site': 'same-site' },
      'another site': { ...basic('operator', TOKEN), 'sec-fetch-site': 'cross-site' },
      'another port': {
        ...basic('operator', TOKEN),
        host: 'localhost:8080',
        origin: 'http://localhost:9999',
      },
    };
    for (const [name, headers] of Object.entries(refused)) {
      it(`are refused: ${name}`, async () => {
        expect(await statusOf({ ...change, headers })).to.equal(403);
        expect(await sources.queues.maintenance.isPaused()).to.equal(false);
      });
    }

    it('are refused as text, which a form may send', async () => {
      const text = { ...BEARER, 'content-type': 'text/plain' };
      expect(await statusOf({ ...change, headers: text, payload: '{}' })).to.equal(400);
    });

    it('are told from its own, also behind a proxy', async () => {
      const own = [
        { ...basic('operator', TOKEN), host: 'localhost:8080', origin: 'http://localhost:8080' },
        { ...basic('operator', TOKEN), host: 'console:8080', origin: 'https://grill.example.com' },
        { ...basic('operator', TOKEN), 'sec-fetch-site': 'same-origin' },
        BEARER,
      ];
      for (const headers of own) expect(await statusOf({ ...change, headers })).to.equal(200);
      await Promise.all(Object.values(sources.queues).map((queue) => queue.resume()));
    });
  });

  it('answers a fault of its own with the status and nothing else', async () => {
    const { dataSource } = sources.database;
    await dataSource.query('ALTER TABLE alert_states RENAME TO elsewhere');
    const answer = await app.inject({ url: '/', headers: BEARER });
    await dataSource.query('ALTER TABLE elsewhere RENAME TO alert_states');
    expect([answer.statusCode, answer.json()]).to.deep.equal([500, { error: 'Internal Server Error' }]);
  });

  it('serves health and metrics of the process to the operator', async () => {
    const health = await app.inject({ url: '/health', headers: BEARER });
    const metrics = await app.inject({ url: '/metrics', headers: BEARER });
    expect(health.json().status).to.equal('ready');
    expect(metrics.headers['content-type']).to.match(/^text\/plain; version=0\.0\.4/);
    expect(metrics.body).to.include('grill_stats_queue_jobs{queue="readings",state="waiting"} 0');
  });

  describe('where it listens', () => {
    const taken = createServer();
    before(async () => {
      taken.listen(0, '127.0.0.1');
      await once(taken, 'listening');
    });
    after(() => taken.close());

    it('names the port that was asked for and is taken', async () => {
      const port = portOf(taken.address());
      const start = startConsole({
        config: { host: '127.0.0.1', port, token: TOKEN },
        dataSource: sources.database.dataSource,
        pool: sources.database.pool,
        queues: sources.queues,
        metrics: createMetrics(),
        isReady: () => true,
        links: LINKS,
        logger,
      });
      const failure = await start.then(
        () => undefined,
        (error: Error) => error.message,
      );
      expect(failure).to.match(new RegExp(`HTTP_PORT.* ${port} `));
    });

    it('takes the next free port where none was asked for', async () => {
      const firstPort = portOf(taken.address());
      const server = await listen(createHttpServer(logger), {
        host: '127.0.0.1',
        firstPort,
        variable: 'HTTP_PORT',
      });
      const port = Number(new URL(server.url).port);
      await server.close();
      expect(port).to.be.within(firstPort + 1, firstPort + 99);
    });
  });
});

async function failedJob({ queues, backend }: Sources) {
  const job = await queues.maintenance.add('tick', JOB, { attempts: 1 });
  const fail = () => Promise.reject(new Error('no'));
  const { worker, disconnect } = createWorker('maintenance', fail, backend, { concurrency: 1 });
  const failed = once(worker, 'failed');
  const running = worker.run();
  await failed;
  await worker.close();
  await running;
  disconnect();
  return job;
}
