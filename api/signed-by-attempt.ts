import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import type { MasterKeys } from '../keys/master-keys.ts';

export type SignedHeaders = { id: string; timestamp: string; signature: string };

/** The three headers of Standard Webhooks, or undefined when one is missing or cannot be genuine. */
export function signedHeaders(header: (name: string) => string): SignedHeaders | undefined {
  const id = header('webhook-id');
  const timestamp = header('webhook-timestamp');
  const signature = header('webhook-signature');
  // Without dots, so that "id.timestamp.body" can be read in one way only.
  const plausible = /^[\w-]{1,128}$/.test(id) && /^\d{1,12}$/.test(timestamp) && signature.length > 0;
  return plausible ? { id, timestamp, signature } : undefined;
}

/**
 * The id of the master key from which comes the attempt's key that `raw` was signed with, within the last five minutes
 * (the library's own limit, by this machine's clock); undefined for anything else. The attempt's key is derived, so
 * nothing is looked up: an unknown attempt and a wrong signature are the same.
 */
export const signedByAttempt = (
  masterKeys: MasterKeys,
  attemptId: string,
  headers: SignedHeaders,
  raw: Buffer,
): string | undefined => masterKeys.accepted().find(({ key }) => isSignedWith(key, attemptId, headers, raw))?.id;

function isSignedWith(masterKey: Buffer, attemptId: string, headers: SignedHeaders, raw: Buffer): boolean {
  const webhook = new Webhook(deriveAttemptKey(masterKey, attemptId));
  try {
    webhook.verify(
      raw,
      {
        'webhook-id': headers.id,
        'webhook-timestamp': headers.timestamp,
        'webhook-signature': headers.signature,
      },
      { jsonParse: false },
    );
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
