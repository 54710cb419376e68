/** Secrets that stand in Postgres: sealed with a key that comes from the master key, bound to the row they stand in. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { MasterKeys } from './master-keys.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

const keyOf = (master: Buffer): Buffer =>
  Buffer.from(hkdfSync('sha256', master, '', 'lading sealed secret', KEY_BYTES));

/** AES-256-GCM: nonce, tag, ciphertext. `name` is what the seal is bound to: one for another row opens nothing. */
export function seal(keys: MasterKeys, name: string, secret: string): { sealed: Buffer; keyId: string } {
  const { id, key } = keys.current();
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(key), nonce).setAAD(Buffer.from(name));
  const hidden = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return { sealed: Buffer.concat([nonce, cipher.getAuthTag(), hidden]), keyId: id };
}

/** Undefined where the key is none of ours any more, the seal is broken, or another row's. */
export function open(keys: MasterKeys, name: string, { sealed, keyId }: { sealed: Buffer; keyId: string }) {
  const master = keys.accepted().find(({ id }) => id === keyId);
  if (!master || sealed.length <= NONCE_BYTES + TAG_BYTES) return undefined;
  const opened = createDecipheriv('aes-256-gcm', keyOf(master.key), sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(Buffer.from(name))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([opened.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), opened.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
