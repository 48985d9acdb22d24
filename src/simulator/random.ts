import { createHash } from 'node:crypto';

/** A number in [0, 1) that depends on the keys alone: the same seed gives the same cloud (FNV-1a, then mixed). */
export function fraction(...keys: (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of keys.join('|')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** `length` hexadecimal digits (at most 64) that depend on the keys alone. */
export const hex = (length: number, ...keys: (string | number)[]): string =>
  createHash('sha256').update(keys.join('|')).digest('hex').slice(0, length);
