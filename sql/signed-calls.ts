import { maybeOne, type Database } from './pool.ts';

/**
 * Remembers a signed call. `first` it was never seen; `repeat` the same call again, to be answered as before;
 * `foreign` the id belongs to another body or attempt and the call is refused.
 */
export async function rememberSignedCall(
  db: Database,
  call: { webhookId: string; attemptId: string; bodyDigest: Buffer },
): Promise<'first' | 'repeat' | 'foreign'> {
  const inserted = await maybeOne(
    db,
    `INSERT INTO signed_calls_seen (webhook_id, attempt_id, body_digest) VALUES ($1::text, $2::uuid, $3::bytea)
     ON CONFLICT (webhook_id) DO NOTHING RETURNING webhook_id`,
    [call.webhookId, call.attemptId, call.bodyDigest],
  );
  if (inserted) return 'first';
  const same = await maybeOne(
    db,
    `SELECT FROM signed_calls_seen
     WHERE webhook_id = $1::text AND attempt_id = $2::uuid AND body_digest = $3::bytea`,
    [call.webhookId, call.attemptId, call.bodyDigest],
  );
  return same ? 'repeat' : 'foreign';
}
