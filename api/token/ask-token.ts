import { createHash } from 'node:crypto';
import { lockAttempt } from '../../sql/attempts.ts';
import { askForDriveToken } from '../../sql/drive-tokens.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { rememberSignedCall } from '../../sql/signed-calls.ts';
import { Problem } from '../problem.ts';
import type { SignedCall } from '../read-signed-call.ts';

/** The n-th token, sealed for the job; undefined while nobody has given it. Throws Problem. */
export const askToken = (pool: Pool, call: SignedCall & { n: number }): Promise<Buffer | undefined> =>
  inTransaction(pool, async (db) => {
    const { attemptId, webhookId, n } = call;
    const attempt = await lockAttempt(db, attemptId);
    if (attempt === undefined) throw new Problem('attempt_call_not_authentic');
    const bodyDigest = createHash('sha256').update(call.raw).digest();
    // The job asks under one id until it is answered; a repeat is answered from what stands there.
    if ((await rememberSignedCall(db, { webhookId, attemptId, bodyDigest })) === 'foreign') throw new Problem('replay');
    if (attempt.state === 'creating')
      throw new Problem('attempt_not_running_yet', undefined, { headers: { 'Retry-After': '1' } });
    if (attempt.state !== 'running' || attempt.finalized_at !== null) throw new Problem('attempt_not_current');
    const asked = await askForDriveToken(db, attemptId, n, call.keyId);
    if (asked === undefined) throw new Problem('request_invalid', 'the token before this one was not given');
    return asked.sealed ?? undefined;
  });
