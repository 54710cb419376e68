import { createHash } from 'node:crypto';
import { lockAttempt, type AttemptRow } from '../sql/attempts.ts';
import type { Database } from '../sql/pool.ts';
import { rememberSignedCall } from '../sql/signed-calls.ts';
import { Problem } from './problem.ts';

/**
 * The attempt that a signed call is about, locked until the transaction ends, and whether the call was taken before.
 * Throws Problem where it may not be taken: what is thrown is not remembered.
 */
export async function takeSignedCall(
  db: Database,
  call: { attemptId: string; webhookId: string; raw: Buffer },
): Promise<{ attempt: AttemptRow; seen: 'first' | 'repeat' }> {
  const { attemptId, webhookId } = call;
  // First of all: remembering the call takes a weaker lock on the same row, and two calls would then wait for each
  // other. Attempt before job is also the order in which an attempt is settled.
  const attempt = await lockAttempt(db, attemptId);
  if (attempt === undefined) throw new Problem('attempt_call_not_authentic');
  const bodyDigest = createHash('sha256').update(call.raw).digest();
  const seen = await rememberSignedCall(db, { webhookId, attemptId, bodyDigest });
  if (seen === 'foreign') throw new Problem('replay');
  // A very small course can be done before its orchestrator has written that it runs.
  if (attempt.state === 'creating' && seen === 'first')
    throw new Problem('attempt_not_running_yet', undefined, { headers: { 'Retry-After': '1' } });
  return { attempt, seen };
}

/** Only the attempt that runs is heard: one that was settled, or handed over its manifest, wants nothing more. */
export function mustRun(attempt: AttemptRow): void {
  if (attempt.state !== 'running' || attempt.finalized_at !== null) throw new Problem('attempt_not_current');
}
