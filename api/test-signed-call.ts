/** A signed call as the job of an attempt sends it, or as somebody who is not it would. */
import { Webhook } from 'standardwebhooks';
import { deriveAttemptKey } from '../job-image/contract/attempt-key.ts';
import { MASTER_KEY } from './test-setup.ts';

export type SignedCallOf = { id: string; attemptId: string; body: string; key?: string | undefined; at?: Date };

export function postSignedCall(
  url: string,
  { id, attemptId, body, key = deriveAttemptKey(MASTER_KEY, attemptId), at = new Date() }: SignedCallOf,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(key).sign(id, at, body),
    },
    body,
  });
}
