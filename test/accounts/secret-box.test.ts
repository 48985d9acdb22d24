import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { createSecretBox, SecretError } from '../../src/accounts/secret-box.js';

describe('createSecretBox', () => {
  const ring = [
    { id: 'k2', key: randomBytes(32) },
    { id: 'k1', key: randomBytes(32) },
  ];
  const box = createSecretBox(ring);
  const owner = 'thermoworks_credentials.refresh_token.7';
  const parts = (sealed: string) => {
    const [version = '', id = '', nonce = '', text = ''] = sealed.split('.');
    return { version, id, nonce: Buffer.from(nonce, 'base64url'), text: Buffer.from(text, 'base64url') };
  };
  const joined = ({ version, id, nonce, text }: ReturnType<typeof parts>) =>
    [version, id, nonce.toString('base64url'), text.toString('base64url')].join('.');
  const flipped = (bytes: Buffer, bit: number) => {
    const copy = Buffer.from(bytes);
    copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    return copy;
  };

  it('opens what it sealed, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (plain) => {
        expect(box.open(box.seal(plain, owner), owner)).to.equal(plain);
      }),
    );
  });

  it('seals with the first key, and opens with any of the ring', () => {
    const [, old] = ring;
    const sealed = createSecretBox(old ? [old] : []).seal('token', owner);
    expect(sealed).to.match(/^v1\.k1\./);
    expect(box.open(sealed, owner)).to.equal('token');
    expect(box.seal('token', owner)).to.match(/^v1\.k2\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]+$/);
  });

  it('never makes the same nonce twice', () => {
    const nonces = Array.from({ length: 5_000 }, () => box.seal('', owner).split('.')[2]);
    expect(new Set(nonces).size).to.equal(nonces.length);
  });

  it('refuses every flipped bit of nonce, text and tag', () => {
    const sealed = parts(box.seal('a refresh token', owner));
    for (let bit = 0; bit < sealed.nonce.length * 8; bit++) {
      const altered = joined({ ...sealed, nonce: flipped(sealed.nonce, bit) });
      expect(() => box.open(altered, owner), `nonce bit ${bit}`).to.throw(SecretError);
    }
    for (let bit = 0; bit < sealed.text.length * 8; bit++) {
      const altered = joined({ ...sealed, text: flipped(sealed.text, bit) });
      expect(() => box.open(altered, owner), `text bit ${bit}`).to.throw(SecretError);
    }
  });

  for (const length of [4, 8, 12, 15]) {
    it(`refuses a tag cut to ${length} bytes`, () => {
      const sealed = parts(box.seal('a refresh token', owner));
      const text = sealed.text.subarray(0, sealed.text.length - 16 + length);
      expect(() => box.open(joined({ ...sealed, text }), owner)).to.throw(SecretError);
    });
  }

  it('refuses a secret of another account or column', () => {
    const sealed = box.seal('token', owner);
    const others = ['thermoworks_credentials.refresh_token.8', 'thermoworks_credentials.access_token.7', ''];
    for (const other of others) expect(() => box.open(sealed, other), other).to.throw(SecretError);
  });

  it('refuses an unknown key id, and a known one that did not seal it', () => {
    const sealed = box.seal('token', owner);
    expect(() => box.open(sealed.replace('v1.k2.', 'v1.k9.'), owner)).to.throw(SecretError, 'k9');
    expect(() => box.open(sealed.replace('v1.k2.', 'v1.k1.'), owner)).to.throw(SecretError);
  });

  it('refuses a key id that was renamed in the ring, though the key is the same', () => {
    const renamed = createSecretBox(ring.map(({ id, key }) => ({ id: id === 'k2' ? 'k3' : id, key })));
    expect(() => renamed.open(box.seal('token', owner).replace('.k2.', '.k3.'), owner)).to.throw(SecretError);
  });

  it('refuses other formats, in a way that shows nothing of them', () => {
    const sealed = box.seal('token', owner);
    const others = ['', 'token', 'v1', sealed.replace('v1', 'v0'), sealed.replace('v1', 'v2'), `${sealed}.x`];
    for (const other of [
      ...others,
      sealed.slice(0, -22),
      `${sealed}=`,
      ` ${sealed}`,
      sealed.replace('v1.', ''),
    ]) {
      expect(() => box.open(other, owner), other).to.throw(SecretError);
    }
  });

  it('refuses a second spelling of the same bytes', () => {
    const sealed = box.seal('ab', owner); // 18 bytes of text and tag are a multiple of 3: add one for loose bits
    const loose = box.seal('abc', owner);
    expect(sealed).to.not.equal(loose);
    const last = loose.at(-1) ?? '';
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const twin = alphabet[alphabet.indexOf(last) ^ 1] ?? '';
    expect(Buffer.from(loose.slice(0, -1) + twin, 'base64url')).to.deep.equal(
      Buffer.from(loose, 'base64url'),
    );
    expect(() => box.open(loose.slice(0, -1) + twin, owner)).to.throw(SecretError);
  });

  it('says that there is no key, when there is none', () => {
    expect(() => createSecretBox([]).seal('token', owner)).to.throw(SecretError);
  });
});
