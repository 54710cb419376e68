import { hkdfSync } from 'node:crypto';

export const MASTER_KEY_BYTES = 32;

/**
 * The key of one attempt's signed calls, derived so that it never needs to be stored: HKDF-SHA256 (RFC 5869) of the
 * installation's master key, salted with the attempt's id. Returned as Standard Webhooks writes secrets: `whsec_` +
 * base64 of 32 bytes.
 */
export function deriveAttemptKey(masterKey: Buffer, attemptId: string): string {
  if (masterKey.length < MASTER_KEY_BYTES) throw new RangeError(`master key of ${masterKey.length} bytes`);
  const key = hkdfSync('sha256', masterKey, attemptId, 'lading attempt key', 32);
  return `whsec_${Buffer.from(key).toString('base64')}`;
}
