import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { expect } from 'chai';
import { InputError } from '../../src/errors.js';
import { HttpError, request } from '../../src/http-client.js';
import { DeliveryError } from '../../src/notifications/delivery-error.js';
import { createOutbound, guardedAgents } from '../../src/notifications/outbound.js';
import { isPublicAddress } from '../../src/notifications/public-address.js';
import { type Receiver, startReceiver } from './receiver.js';

const LOOPBACK = [
  ...[
    '127.0.0.1',
    '127.0.0.1.',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0x7F.0x0.0x0.0x1',
  ],
  ...[
    '017700000001',
    '0177.0.0.1',
    '0177.0.0.01',
    '00000177.0.0.1',
    '127.0.0.2',
    '127.255.255.254',
    '127.0x1',
  ],
  ...[
    '1２７.０.０.1',
    '①②⑦.0.0.1',
    '１２７。０。０。１',
    '127%2e0%2e0%2e1',
    '%31%32%37.0.0.1',
    '0',
    '0.0.0.0',
    '0x0',
  ],
  ...['[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[0000:0000:0000:0000:0000:0000:0000:0001]', '[::0001]'],
  ...[
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[::FFFF:127.0.0.1]',
    '[::127.0.0.1]',
  ],
  ...[
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
  ],
  ...['[2002:7f00:0001::1]', '[2001:0:7f00:1::]'],
];
const PRIVATE = [
  ...[
    '10.0.0.1',
    '10.255.255.255',
    '0xa000001',
    '012.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '3232235521',
  ],
  ...[
    '100.64.0.1',
    '100.127.255.255',
    '100.100.100.200',
    '169.254.169.254',
    '0xA9FEA9FE',
    '2852039166',
    '169.254.1',
  ],
  ...[
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.7',
    '203.0.113.9',
  ],
  ...['224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255', '[fe80::1]', '[fec0::1]', '[fc00::1]'],
  ...[
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[::ffff:10.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::a9fe:a9fe]',
    '[100::1]',
  ],
  ...['[2002:a9fe:a9fe::]', '[2001:db8::1]', '[3fff::1]', '[5f00::1]', '[4000::1]'],
];
/** Given to nobody, so no agent calls them private: only the check before the connector does. Never dialled here. */
const NOBODYS = ['[::127.0.0.1]', '[4000::1]'];
const NAMES = [
  ...[
    'localhost',
    'localhost.',
    'LOCALHOST',
    'ｌocalhost',
    'x.localhost',
    'x.localhost.',
    'localhost.localdomain',
  ],
  ...['ip6-loopback', 'router', 'nas.local', 'metadata.google.internal', 'printer.lan', 'hub.home.arpa'],
];
const SPELLINGS = [...LOOPBACK, ...PRIVATE, ...NAMES];

/** A resolver that nobody has to ask a network for. */
function lookupOf(table: Record<string, string[]>): LookupFunction & { asked: string[] } {
  const asked: string[] = [];
  const lookup: LookupFunction = (name, options, done) => {
    asked.push(name);
    const found: LookupAddress[] = (table[name] ?? []).map((address) => ({ address, family: isIP(address) }));
    const [first] = found;
    if (!first) return done(Object.assign(new Error(`no ${name}`), { code: 'ENOTFOUND' }), '');
    if (options.all) return done(null, found);
    done(null, first.address, first.family);
  };
  return Object.assign(lookup, { asked });
}

function dial(url: string, agents: ReturnType<typeof guardedAgents>) {
  return request({ method: 'POST', url, body: '{}', agents, timeoutMs: 5_000, maxBytes: 1_000 });
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('outbound', () => {
  let canaries: Receiver[];
  let port: number;
  const seen = () => canaries.reduce((sum, { connections }) => sum + connections, 0);

  before(async () => {
    const first = await startReceiver();
    port = first.port;
    canaries = [first];
    // On a machine without IPv6 only the IPv4 canary watches.
    const second = await startReceiver({ host: '::1', port }).catch(() => undefined);
    if (second) canaries.push(second);
  });
  after(() => Promise.all(canaries.map((canary) => canary.close())));

  describe('addresses that are not public', () => {
    const lookup = lookupOf({});
    const outbound = createOutbound({ allowPrivate: false, lookup });
    const names = NAMES.map((name) => [new URL(`http://${name}`).hostname, ['127.0.0.1', '::1']]);
    const agents = guardedAgents({ allowPrivate: false, lookup: lookupOf(Object.fromEntries(names)) });

    it('are more than 60 spellings', () => {
      expect(new Set(SPELLINGS).size).to.equal(SPELLINGS.length).and.to.be.greaterThan(90);
    });

    for (const host of SPELLINGS) {
      it(`${host} is refused at save, at send and in the connector`, async () => {
        const url = `https://${host}/hook`;
        const atSave = await failure(outbound.check(url));
        expect(atSave)
          .to.be.instanceOf(InputError)
          .with.property('message')
          .that.includes('is at a private address');
        for (const atSend of [outbound.post(url, { body: '{}' }), outbound.get(url, {})])
          expect(await failure(atSend))
            .to.be.instanceOf(DeliveryError)
            .with.property('fate', 'refused');
        if (NOBODYS.includes(host)) return;
        const dialled = await failure(dial(`http://${host}:${port}/hook`, agents));
        expect(dialled).to.be.instanceOf(HttpError).with.property('code', 'EBLOCKED');
        expect(seen()).to.equal(0);
      });
    }

    it('are refused at save and at send when a public name points there, now or only later', async () => {
      const table: Record<string, string[]> = { 'rebind.example.com': ['93.184.216.34'] };
      const rebinding = createOutbound({ allowPrivate: false, lookup: lookupOf(table) });
      await rebinding.check('https://rebind.example.com/hook');
      const later = [
        ['127.0.0.1'],
        ['::1'],
        ['93.184.216.34', '10.0.0.1'],
        ['::ffff:127.0.0.1'],
        ['169.254.169.254'],
      ];
      for (const addresses of later) {
        table['rebind.example.com'] = addresses;
        const atSave = await failure(rebinding.check('https://rebind.example.com/hook'));
        expect(atSave, addresses.join()).to.be.instanceOf(InputError);
        const atSend = await failure(rebinding.post('https://rebind.example.com/hook', { body: '{}' }));
        expect(atSend, addresses.join()).to.be.instanceOf(DeliveryError).with.property('fate', 'refused');
      }
      expect(seen()).to.equal(0);
    });

    for (const address of [
      '127.0.0.1',
      '::1',
      '::7f00:1',
      '4000::1',
      'fec0::1',
      '10.0.0.1',
      '64:ff9b::7f00:1',
    ]) {
      it(`are refused in the connector for a name at ${address}`, async () => {
        const lookup = lookupOf({ 'rebind.example.com': ['93.184.216.34', address] });
        const dialled = await failure(
          dial(`http://rebind.example.com:${port}/`, guardedAgents({ allowPrivate: false, lookup })),
        );
        expect(dialled).to.be.instanceOf(HttpError).with.property('code', 'EBLOCKED');
        expect(seen()).to.equal(0);
      });
    }

    it('would reach the canary without the guard', async () => {
      const canary = await startReceiver();
      const lookup = lookupOf({ 'rebind.example.com': ['127.0.0.1'] });
      const open = guardedAgents({ allowPrivate: true, lookup });
      for (const host of ['rebind.example.com', '2130706433', '0x7f.1'])
        await dial(`http://${host}:${canary.port}/`, open);
      expect(canary.connections).to.equal(3);
      await canary.close();
    });
  });

  it('refuses other schemes, credentials and ports at save and at send', async () => {
    const outbound = createOutbound({ allowPrivate: false, lookup: lookupOf({}) });
    const bad = [
      ...[
        'http://hooks.example.com/',
        'https://hooks.example.com:8443/',
        'https://hooks.example.com:80/',
        'file:///etc/passwd',
      ],
      ...[
        'ftp://hooks.example.com/',
        'data:,x',
        'https://user@hooks.example.com/',
        'https://:pw@hooks.example.com/',
        '',
      ],
      ...[
        'javascript:1',
        'unix:/run/x.sock',
        'hooks.example.com',
        'https://',
        'https://[fe80::1%25eth0]/',
        'https://a b/',
      ],
      ...['https://256.1.1.1/', 'https://1.2.3.4.5/', `https://hooks.example.com/${'x'.repeat(2_000)}`],
    ];
    for (const url of bad) {
      expect(await failure(outbound.check(url)), url).to.be.instanceOf(InputError);
      const atSend = await failure(outbound.post(url, { body: '{}' }));
      expect(atSend, url).to.be.instanceOf(DeliveryError).with.property('fate', 'refused');
    }
  });

  it('takes a public address at save, also one that does not resolve now', async () => {
    const lookup = lookupOf({ 'hooks.example.com': ['93.184.216.34', '2606:2800:220:1::1'] });
    const outbound = createOutbound({ allowPrivate: false, lookup });
    await outbound.check('https://hooks.example.com/in?key=1');
    await outbound.check('https://hooks.example.com:443/in');
    await outbound.check('https://unknown.example.com/in');
    await outbound.check('https://[2606:4700::1111]/in');
    expect(lookup.asked).to.include('unknown.example.com');
  });

  it('reaches private addresses on any port where they are allowed, but still over HTTP only and without credentials', async () => {
    const receiver = await startReceiver();
    try {
      const outbound = createOutbound({ allowPrivate: true });
      await outbound.check(receiver.url);
      const answer = await outbound.post(`${receiver.url}/in`, { headers: { 'X-One': '1' }, body: 'ä' });
      expect(answer.status).to.equal(204);
      expect(receiver.received[0]).to.deep.include({ method: 'POST', path: '/in', body: 'ä' });
      await outbound.get(`${receiver.url}/beat?key=1`, {});
      expect(receiver.received[1]).to.deep.include({ method: 'GET', path: '/beat?key=1', body: '' });
      for (const url of ['ftp://127.0.0.1/', receiver.url.replace('//', '//a:b@')]) {
        expect(await failure(outbound.check(url)), url).to.be.instanceOf(InputError);
      }
    } finally {
      await receiver.close();
    }
  });

  it('knows what is public', () => {
    const open = [
      '1.1.1.1',
      '93.184.216.34',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.0.1',
      '223.255.255.254',
      '2606:4700::1111',
    ];
    for (const address of open) expect(isPublicAddress(address), address).to.equal(true);
    for (const other of ['example.com', '', '127.1', '::ffff:8.8.8.8']) {
      expect(isPublicAddress(other), other).to.equal(false);
    }
  });
});
