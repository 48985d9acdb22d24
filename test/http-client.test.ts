import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { RequestFilteringHttpAgent, RequestFilteringHttpsAgent } from 'request-filtering-agent';
import { HttpError, type HttpRequest, request } from '../src/http-client.js';

describe('http client', () => {
  let server: Server | undefined;

  async function serve(listener: RequestListener): Promise<string> {
    server = createServer(listener);
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
    server = undefined;
  });

  const send = (url: string, more: Partial<HttpRequest> = {}) =>
    request({ method: 'GET', url, timeoutMs: 5000, maxBytes: 1_000_000, ...more });

  async function failureOf(promise: Promise<unknown>): Promise<HttpError> {
    const error = await promise.then(
      () => new Error('it succeeded'),
      (e: unknown) => e,
    );
    if (!(error instanceof HttpError)) throw error;
    return error;
  }

  it('is the only importer of axios', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'));
    const importers = files.filter((file) => /['"]axios['"/]/.test(readFileSync(join('src', file), 'utf8')));
    expect(files.length).to.be.greaterThan(5);
    expect(importers).to.deep.equal(['http-client.ts']);
  });

  it('sends what it is given and hands back status, headers and text as they are', async () => {
    const url = await serve((req, res) => {
      let body = '';
      req.on('data', (chunk) => {
        body += chunk;
      });
      req.on('end', () => {
        res.writeHead(418, {
          'X-Seen': `${req.method} ${req.url} ${req.headers['x-in']}`,
          Location: '/away',
        });
        res.end(`{"not json: ${body}`);
      });
    });
    const answer = await send(`${url}/a?b=c`, { method: 'POST', headers: { 'x-in': 'in' }, body: '{"b":1}' });
    expect(answer.status).to.equal(418);
    expect(answer.headers['x-seen']).to.equal('POST /a?b=c in');
    expect(answer.text).to.equal('{"not json: {"b":1}');
  });

  it('follows no redirect', async () => {
    let requests = 0;
    const url = await serve((_req, res) => {
      requests += 1;
      res.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect((await send(url)).status).to.equal(302);
    expect(requests).to.equal(1);
  });

  it('ends a body that drips past the total deadline', async () => {
    let drip: NodeJS.Timeout | undefined;
    const url = await serve((_req, res) => {
      res.writeHead(200);
      drip = setInterval(() => res.write('x'), 10);
      res.on('close', () => clearInterval(drip));
    });
    expect((await failureOf(send(url, { timeoutMs: 200 }))).kind).to.equal('timeout');
  });

  it('ends a request that no byte answers', async () => {
    const url = await serve(() => {});
    expect((await failureOf(send(url, { timeoutMs: 60_000, idleTimeoutMs: 100 }))).kind).to.equal('timeout');
  });

  it('is ended by the caller, before it began too', async () => {
    const caller = new AbortController();
    const url = await serve(() => caller.abort());
    expect((await failureOf(send(url, { signal: caller.signal }))).kind).to.equal('aborted');
    expect((await failureOf(send(url, { signal: caller.signal }))).kind).to.equal('aborted');
  });

  it('refuses a body over the limit, declared or not', async () => {
    const url = await serve((req, res) => {
      if (req.url === '/declared') res.writeHead(200, { 'content-length': 1_000_001 });
      const write = () => {
        while (!res.destroyed && res.write('x'.repeat(65_536)));
      };
      res.on('drain', write);
      write();
    });
    expect((await failureOf(send(`${url}/declared`))).kind).to.equal('too_large');
    expect((await failureOf(send(url))).kind).to.equal('too_large');
  });

  it('inflates no more of a gzip bomb than the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    const url = await serve((req, res) => {
      res.writeHead(200, { 'content-encoding': 'gzip' });
      res.end(req.url === '/small' ? gzipSync('{"a":1}') : bomb);
    });
    expect((await send(`${url}/small`)).text).to.equal('{"a":1}');
    const before = process.memoryUsage().rss;
    expect((await failureOf(send(url))).kind).to.equal('too_large');
    expect(process.memoryUsage().rss - before).to.be.below(100_000_000);
  });

  for (const [name, listener] of Object.entries<RequestListener>({
    'a reset': (_req, res) => res.socket?.resetAndDestroy(),
    'a cut body': (_req, res) => {
      res.writeHead(200, { 'content-length': 100 });
      res.write('half');
      setImmediate(() => res.destroy());
    },
    'a cut chunked body': (_req, res) => {
      res.write('half');
      setImmediate(() => res.destroy());
    },
    'no gzip at all': (_req, res) => {
      res.writeHead(200, { 'content-encoding': 'gzip' }).end('plain');
    },
  })) {
    it(`calls ${name} a network fault`, async () => {
      const url = await serve(listener);
      expect((await failureOf(send(url))).kind).to.equal('network');
    });
  }

  it('says that a guard refused the address, by name or literal', async () => {
    const url = await serve((_req, res) => res.end());
    const agents = { http: new RequestFilteringHttpAgent(), https: new RequestFilteringHttpsAgent() };
    expect((await failureOf(send(url, { agents }))).kind).to.equal('blocked');
    const named = url.replace('127.0.0.1', 'localhost');
    expect((await failureOf(send(named, { agents }))).kind).to.equal('blocked');
  });

  it('shows nothing of the request in its error', async () => {
    const url = await serve((_req, res) => res.destroy());
    const error = await failureOf(
      send(`${url}/p?key=S3CRET`, {
        method: 'POST',
        headers: { authorization: 'Bearer S3CRET' },
        body: 'S3CRET',
      }),
    );
    const shown = `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(Object.entries(error))} ${error.cause}`;
    expect(shown).not.to.include('S3CRET');
    expect(error.host).to.equal(new URL(url).host);
    const invalid = await failureOf(send(url, { headers: { authorization: 'Bearer S3CRET\n' } }));
    expect(`${invalid.stack} ${JSON.stringify(invalid)}`).not.to.include('S3CRET');
    expect((await failureOf(send('http://[S3CRET'))).message).not.to.include('S3CRET');
  });
});
