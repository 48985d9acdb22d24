import { type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.js';

export const START = Date.parse('2026-11-20T10:00:00Z');
export const KEY = 'AIzaSyCf079iccUFc1k7VHdGXng22zXDy8Y3KEY';
export const REFERER = 'https://cloud.thermoworks.com/';
export const PROJECT = 'thermoworks-cloud-production';
export const ROOT = `projects/${PROJECT}/databases/(default)/documents`;
export const DOCS = `/v1/${ROOT}`;

/** The value at a path of keys and indices of parsed JSON; undefined where a step is missing. */
export function at(json: unknown, path: string): unknown {
  let value = json;
  for (const key of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  }
  return value;
}

export const items = (json: unknown): unknown[] => (Array.isArray(json) ? json : []);
export const itemsAt = (json: unknown, path: string): unknown[] => items(at(json, path));

/** A simulator whose clock only the test moves, and the requests that tests make. */
export async function openCloud(options: Partial<SimulatorOptions> = {}) {
  const clock = { now: START };
  const simulator = await startSimulator({
    accounts: 2,
    devices: 4,
    seed: 1,
    speed: 1,
    now: () => clock.now,
    ...options,
  });

  async function request(path: string, init: RequestInit = {}) {
    const response = await fetch(simulator.url + path, init);
    const text = await response.text();
    const json: unknown = /^[[{]/.test(text) ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, text, json };
  }
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const account = (index = 0) => {
    const found = simulator.accounts[index];
    if (!found) throw new Error(`no account ${index}`);
    return found;
  };
  const refresh = (token: string) =>
    post(`/v1/token?key=${KEY}`, { grant_type: 'refresh_token', refresh_token: token }, { referer: REFERER });
  const signIn = (email: string, password: string) =>
    post(`/v1/accounts:signInWithPassword?key=${KEY}`, { email, password }, { referer: REFERER });
  const bearer = async (index = 0) => {
    const { json } = await refresh(account(index).refresh_token);
    return { authorization: `Bearer ${at(json, 'access_token')}` };
  };
  const devices = async (index = 0) =>
    items((await request(`/_control/devices?account=${account(index).email}`)).json).map((device) => ({
      id: String(at(device, 'device_id')),
      label: String(at(device, 'label')),
      type: String(at(device, 'type')),
      probes: itemsAt(device, 'probes').map((probe) => String(at(probe, 'probe_id'))),
    }));
  return { simulator, clock, request, post, account, refresh, signIn, bearer, devices };
}

export type Cloud = Awaited<ReturnType<typeof openCloud>>;

export const deviceQuery = (accountId: unknown, more: object = {}) => ({
  structuredQuery: {
    from: [{ collectionId: 'devices' }],
    where: {
      fieldFilter: { field: { fieldPath: 'accountId' }, op: 'EQUAL', value: { stringValue: accountId } },
    },
    orderBy: [{ field: { fieldPath: '__name__' }, direction: 'ASCENDING' }],
    ...more,
  },
});
