import { connect } from 'node:net';
import { expect } from 'chai';
import { at, type Cloud, items, KEY, openCloud, PROJECT, REFERER } from './cloud.js';

/** Sends exactly this text on a new connection and reads until the server closes it. */
function exchange(port: number, text: string): Promise<{ status: number; head: string; json: unknown }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject);
    socket.on('end', () => {
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      resolve({ status: Number(head.split(' ')[1]), head: head.toLowerCase(), json: JSON.parse(body) });
    });
  });
}

describe('the requests of the python client over a raw socket', () => {
  let cloud: Cloud;
  let port: number;
  before(async () => {
    cloud = await openCloud();
    port = Number(new URL(cloud.simulator.url).port);
  });
  after(() => cloud.simulator.close());

  const send = (line: string, headers: string[], body = '') =>
    exchange(
      port,
      [
        `${line} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Connection: close',
        ...headers,
        ...(body ? [`Content-Length: ${Buffer.byteLength(body)}`] : []),
        '',
        body,
      ].join('\r\n'),
    );
  const json = 'Content-Type: application/json';
  const referer = `referer: ${REFERER}`;

  it('answers in the order in which that client asks', async () => {
    const { email, password } = cloud.account();
    const config = await send(
      'GET /v1alpha/projects/-/apps/1:78998049458:web:b41e9d405d8c7de95eefab/webConfig',
      ['accept: application/json', `x-goog-api-key: ${KEY}`, referer],
    );
    expect(config.status).to.equal(200);
    expect(config.head).to.include('content-type: application/json');
    expect(config.head).to.include('date: fri, 20 nov 2026 10:00:00 gmt');
    expect(at(config.json, 'projectId')).to.equal(PROJECT);
    expect(at(config.json, 'storageBucket')).to.equal(`${PROJECT}.appspot.com`);

    const signedIn = await send(
      `POST /v1/accounts:signInWithPassword?key=${KEY}`,
      [json, referer],
      JSON.stringify({ email, password, returnSecureToken: true }),
    );
    expect(signedIn.status).to.equal(200);
    expect(at(signedIn.json, 'expiresIn')).to.equal('3600');
    expect(at(signedIn.json, 'localId')).to.equal(cloud.account().uid);

    const refreshed = await send(
      `POST /v1/token?key=${KEY}`,
      [json, referer],
      JSON.stringify({ grant_type: 'refresh_token', refresh_token: at(signedIn.json, 'refreshToken') }),
    );
    expect(refreshed.status).to.equal(200);
    expect(refreshed.json).to.include({ token_type: 'Bearer', expires_in: '3600' });
    expect(at(refreshed.json, 'user_id')).to.equal(cloud.account().uid);

    const bearer = `authorization: Bearer ${at(refreshed.json, 'access_token')}`;
    const docs = `/v1/projects/${PROJECT}/databases/(default)/documents`;
    const user = await send(`GET ${docs}/users/${cloud.account().uid}?key=${KEY}`, [bearer]);
    expect(user.status).to.equal(200);
    const accountId = at(user.json, 'fields.accountId.stringValue');
    expect(accountId).to.be.a('string');

    const query = `{"structuredQuery":{"from":[{"collectionId":"devices"}],"where":{"fieldFilter":{"field":{"fieldPath":"accountId"},"op":"EQUAL","value":{"stringValue":"${accountId}"}}},"orderBy":[{"field":{"fieldPath":"__name__"},"direction":"ASCENDING"}]}}`;
    const devices = await send(`POST ${docs}:runQuery?key=${KEY}`, [bearer, json], query);
    expect(devices.status).to.equal(200);
    expect(items(devices.json)).to.have.length(4);

    const serial = String(at(devices.json, '0.document.fields.serial.stringValue'));
    expect(serial).to.include(':');
    for (const number of [1, 2, 3, 4]) {
      const channel = await send(`GET ${docs}/devices/${serial}/channels/${number}?key=${KEY}`, [bearer]);
      expect(channel.status).to.equal(200);
      expect(at(channel.json, 'fields.number.stringValue')).to.equal(String(number));
    }
    const fifth = await send(`GET ${docs}/devices/${serial}/channels/5?key=${KEY}`, [bearer]);
    expect(fifth.status).to.equal(404);
    expect(at(fifth.json, 'error.message')).to.equal(
      `Document "projects/${PROJECT}/databases/(default)/documents/devices/${serial}/channels/5" not found.`,
    );

    const device = await send(`GET ${docs}/devices/${serial}?key=${KEY}`, [bearer]);
    expect(device.status).to.equal(200);
    expect(at(device.json, 'fields')).to.deep.equal(at(devices.json, '0.document.fields'));

    const encoded = docs.replace('(default)', '%28default%29');
    const again = await send(`GET ${encoded}/devices/${serial.replaceAll(':', '%3A')}?key=${KEY}`, [bearer]);
    expect(again.json).to.deep.equal(device.json);
    const slash = await send(`GET ${docs}/devices/${serial}%2Fchannels%2F1?key=${KEY}`, [bearer]);
    expect(slash.status).to.equal(404);
  });

  it('names what was wrong with a sign-in twice, as that client reads it', async () => {
    const body = JSON.stringify({ email: cloud.account().email, password: 'x', returnSecureToken: true });
    const answer = await send(`POST /v1/accounts:signInWithPassword?key=${KEY}`, [json, referer], body);
    expect(answer.status).to.equal(400);
    expect(at(answer.json, 'error.message')).to.equal('INVALID_LOGIN_CREDENTIALS');
    expect(at(answer.json, 'error.errors.0.message')).to.equal('INVALID_LOGIN_CREDENTIALS');
  });
});
