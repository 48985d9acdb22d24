import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Accounts } from './accounts.js';
import { readFile } from './archive.js';
import { type Answer, type Call, notFound, parseBody, Refusal, refusalBody, routeOf } from './call.js';
import { SimulatedClock } from './clock.js';
import { control, credentials, logRequest, type World } from './control.js';
import { readDocuments } from './documents.js';
import { Faults } from './faults.js';
import { authenticate, claimedAccount, refresh, signIn, webConfig } from './identity.js';
import { type Json, list, number, text } from './json.js';
import { Ledger, type LedgerEntry } from './ledger.js';

const MAX_BODY_BYTES = 10 * 1024 * 1024;
const MAX_PAD_MB = 1_000;

export interface SimulatorOptions {
  /** Default 0: a free port. */
  port?: number;
  /** Default 127.0.0.1. */
  host?: string;
  accounts: number;
  /** Per account, at most 256: smoker, walk-in cooler, RFX gateway, RFX meat probe, and round again. */
  devices: number;
  seed: number;
  /** Simulated seconds per real second. */
  speed: number;
  /** The first device reports every 5 s, and its probe 2 passes 203 °F about 25 simulated seconds after the start. */
  demo?: boolean;
  /** Device documents are written so much later than their channels (negative: earlier). Default 400. */
  deviceDelayMs?: number;
  /** False: serves without remembering what it served. */
  keepLedger?: boolean;
  /** The real clock, ms since 1970. */
  now?: () => number;
}

export interface Simulator {
  /** Origin of all five hosts of the cloud, without a trailing slash. */
  url: string;
  accounts: { email: string; password: string; refresh_token: string; uid: string; account_id: string }[];
  ledger(): LedgerEntry[];
  close(): Promise<void>;
}

/** A local ThermoWorks Cloud over plain HTTP, deterministic by seed and clock; control API in control.ts. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const clock = new SimulatedClock(options.now ?? Date.now, options.speed);
  const { demo = false, deviceDelayMs = 400, keepLedger = true } = options;
  const accounts = new Accounts({ ...options, demo, deviceDelayMs, startMs: clock.now() });
  const ledger = new Ledger(keepLedger);
  const world: World = { accounts, clock, ledger, faults: new Faults(), requests: { counts: {}, last: [] } };
  const server = createServer((request, response) => {
    serve(request, response, world).catch(() => response.writeHead(400).end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;
  return {
    url: `http://${options.host ?? '127.0.0.1'}:${port}`,
    accounts: accounts.all.map(credentials),
    ledger: () => ledger.since(0),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, world: World): Promise<void> {
  const call = await readCall(request, world.clock.now());
  response.sendDate = false;
  response.setHeader('Date', new Date(call.nowMs).toUTCString());
  if (call.path[0] === '_control') {
    const { status, json } = attempt(call, () => ({ json: control(call, world) }));
    send(response, status, JSON.stringify(json));
    return;
  }
  const { email = null } = claimedAccount(call, world.accounts) ?? {};
  const documents = call.route === 'batchGet' ? list(parseBody(call)?.documents).length : 1;
  const fault = world.faults.take({ ...call, email, documents });
  const at = new Date(call.nowMs).toISOString();
  response.once('close', () => {
    const status = response.writableFinished ? response.statusCode : 0;
    logRequest(world, { route: call.route, account: email, status, at });
  });
  await wait(number(fault?.delay_ms) ?? 0, undefined, { ref: false });
  if (response.destroyed) return;
  if (fault?.drop) request.socket.destroy();
  else if (fault && isAnswered(fault)) sendFault(call, fault, response);
  else answer({ ...call, nowMs: world.clock.now() }, world, fault, response);
}

async function readCall(request: IncomingMessage, nowMs: number): Promise<Call> {
  const { method = 'GET', url = '/', headers } = request;
  const [rawPath = '', ...search] = url.split('?');
  // Split before decoding: an encoded slash stays inside its segment.
  const path = rawPath.split('/').slice(1).map(decodeURIComponent);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`request body above ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString();
  const query = new URLSearchParams(search.join('?'));
  return { method, path, query, headers, body, route: routeOf(method, path), nowMs };
}

/** The true answer, or the refusal as its body. */
function attempt(call: Call, act: () => Answer): Answer & { status: number } {
  try {
    return { status: 200, ...act() };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.code, json: refusalBody(call.route, error) };
  }
}

function act(call: Call, { accounts, clock }: World, fault: Json | undefined): Answer {
  switch (call.route) {
    case 'webConfig':
      return { json: webConfig(call) };
    case 'signIn':
      return { json: signIn(call, accounts, clock.speed) };
    case 'token':
      return { json: refresh(call, accounts, clock.speed) };
    case 'file':
      return readFile(call, accounts, authenticate(call, accounts), fault);
    case 'unknown':
      throw notFound('Resource');
    default:
      return readDocuments(call, accounts, authenticate(call, accounts));
  }
}

function answer(call: Call, world: World, fault: Json | undefined, response: ServerResponse): void {
  const { status, json, shown = [], rows = [], type } = attempt(call, () => act(call, world, fault));
  const body = JSON.stringify(json);
  if (fault?.cut) {
    response.setHeader('content-length', Buffer.byteLength(body));
    response.writeHead(status).write(body.slice(0, body.length / 2), () => response.destroy());
    return;
  }
  response.once('finish', () => {
    world.ledger.add(shown, call.nowMs);
    world.ledger.addRows(rows, call.nowMs);
  });
  send(response, status, body, { content_type: type, ...fault });
}

/** Sends a body, in the way and under the content type that a fault names. */
function send(response: ServerResponse, status: number, body: string, fault: Json = {}): void {
  const type = text(fault.content_type) ?? (fault.html ? 'text/html' : 'application/json');
  response.setHeader('content-type', `${type}; charset=UTF-8`);
  if (fault.gzip) response.setHeader('content-encoding', 'gzip');
  if (!fault.gzip && !fault.pad_mb && !fault.drip_ms) {
    response.writeHead(status, { 'content-length': Buffer.byteLength(body) }).end(body);
    return;
  }
  const parts = Readable.from(partsOf(body, fault));
  response.once('close', () => parts.destroy());
  parts.pipe(response.writeHead(status));
}

/** A megabyte of blanks is made once and sent often: compressed, a gigabyte of them is a megabyte. */
async function* partsOf(body: string, fault: Json): AsyncGenerator<Buffer> {
  const pack = (part: Buffer) => (fault.gzip ? gzipSync(part) : part);
  const dripMs = number(fault.drip_ms);
  for (const byte of dripMs === undefined ? [] : Buffer.from(body)) {
    yield Buffer.of(byte);
    await wait(dripMs, undefined, { ref: false });
  }
  if (dripMs === undefined) yield pack(Buffer.from(body));
  const blanks = pack(Buffer.alloc(1_000_000, ' '));
  for (let mb = 0; mb < Math.min(number(fault.pad_mb) ?? 0, MAX_PAD_MB); mb += 1) yield blanks;
}

const isAnswered = (fault: Json) =>
  ['status', 'html', 'json', 'body'].some((effect) => fault[effect] !== undefined);

function sendFault(call: Call, fault: Json, response: ServerResponse): void {
  const status = number(fault.status) ?? 200;
  if (fault.retry_after !== undefined) response.setHeader('Retry-After', String(fault.retry_after));
  const more = fault.status_text === undefined ? {} : { status: fault.status_text };
  const refusal = new Refusal(status, text(fault.message) ?? 'Injected.', more);
  const json = fault.json ?? refusalBody(call.route, refusal);
  const page = fault.html ? SIGN_IN_PAGE : undefined;
  send(response, status, text(fault.body) ?? page ?? JSON.stringify(json), fault);
}

const SIGN_IN_PAGE = '<!doctype html><title>Sign in</title><form method="post"></form>';
