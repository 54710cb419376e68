/**
 * A Drive token on its way from the orchestrator to a running job. The api and Postgres carry it without being able to use
 * it by their own rights: it is sealed with a key that comes from the attempt's own.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Which token of which attempt; a seal for one is none for another. */
export type TokenName = { readonly attemptId: string; readonly n: number };

const keyOf = (attemptKey: string, { attemptId }: TokenName): Buffer =>
  Buffer.from(hkdfSync('sha256', attemptKey, attemptId, 'lading drive token', KEY_BYTES));
const boundTo = ({ attemptId, n }: TokenName): Buffer => Buffer.from(`${attemptId}:${n}`);

/** AES-256-GCM: nonce, tag, ciphertext. */
export function sealToken(attemptKey: string, name: TokenName, token: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(attemptKey, name), nonce).setAAD(boundTo(name));
  const sealed = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** The token, or undefined where the seal is broken or another's. */
export function openToken(attemptKey: string, name: TokenName, sealed: Buffer): string | undefined {
  if (sealed.length <= NONCE_BYTES + TAG_BYTES) return undefined;
  const opened = createDecipheriv('aes-256-gcm', keyOf(attemptKey, name), sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(boundTo(name))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  try {
    const token = Buffer.concat([opened.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), opened.final()]);
    return token.toString('utf8');
  } catch {
    return undefined;
  }
}
