import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { KeyRingEntry } from '../config.js';

/** A secret cannot be read: altered, cut, of another owner, or sealed with a key that is not in the ring. */
export class SecretError extends Error {
  override name = 'SecretError';
}

/** `owner` is where a secret belongs: table, column and row id. It must be the same for both calls. */
export interface SecretBox {
  seal(plain: string, owner: string): string;
  /** @throws SecretError */
  open(sealed: string, owner: string): string;
}

const SEALED = /^v1\.([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/;
const NONCE_BYTES = 12;
// Without it Node accepts a tag that was cut to 4 bytes.
const TAG = { authTagLength: 16 };

/**
 * AES-256-GCM with the first key; any key of the ring opens. A sealed secret reads `v1.<key id>.<nonce>.<text + tag>`,
 * base64url. Each owner gets a subkey of its own, so that random nonces of one key are never too many.
 */
export function createSecretBox(keyRing: readonly KeyRingEntry[]): SecretBox {
  const keys = new Map(keyRing.map(({ id, key }) => [id, key]));
  const subkeyOf = (id: string, owner: string) => {
    const key = keys.get(id);
    if (!key) throw new SecretError(`no key with the id ${JSON.stringify(id)} to open a secret with`);
    return Buffer.from(hkdfSync('sha256', key, '', `grill-stats ${owner}`, 32));
  };
  const boundTo = (id: string, owner: string) => Buffer.from(JSON.stringify(['v1', id, owner]));

  return {
    seal(plain, owner) {
      const [newest] = keyRing;
      if (!newest) throw new SecretError('no key to seal a secret with');
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', subkeyOf(newest.id, owner), nonce, TAG);
      cipher.setAAD(boundTo(newest.id, owner));
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `v1.${newest.id}.${nonce.toString('base64url')}.${text.toString('base64url')}`;
    },

    open(sealed, owner) {
      const [, id = '', nonce = '', text = ''] = SEALED.exec(sealed) ?? [];
      if (id === '') throw new SecretError('not a sealed secret of a form that is known');
      const bytes = Buffer.from(text, 'base64url');
      const key = subkeyOf(id, owner);
      try {
        if (bytes.toString('base64url') !== text) throw new Error('not canonical base64url');
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), TAG);
        decipher.setAAD(boundTo(id, owner));
        decipher.setAuthTag(bytes.subarray(-TAG.authTagLength));
        return (
          decipher.update(bytes.subarray(0, -TAG.authTagLength), undefined, 'utf8') + decipher.final('utf8')
        );
      } catch (cause) {
        throw new SecretError('a secret was altered or belongs to another row', { cause });
      }
    },
  };
}
