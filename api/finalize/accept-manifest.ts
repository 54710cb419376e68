import { createHash } from 'node:crypto';
import type { FinalizeBody } from '../../job-image/contract/signed-call.ts';
import { lockAttempt, recordFinalized } from '../../sql/attempts.ts';
import { insertFiles } from '../../sql/files.ts';
import { acceptManifest as moveJob } from '../../sql/jobs.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { rememberSignedCall } from '../../sql/signed-calls.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { Problem } from '../problem.ts';

export type Accepted = { result: 'accepted' | 'repeat'; jobId: string };

/**
 * Stores the files, moves the job and queues its delivery, or nothing. Refusals are thrown, so that a refused call is
 * not remembered as one that was taken.
 */
export const acceptManifest = (
  pool: Pool,
  call: { attemptId: string; webhookId: string; raw: Buffer; manifest: FinalizeBody },
): Promise<Accepted> =>
  inTransaction(pool, async (db) => {
    const { attemptId, webhookId } = call;
    // First of all: remembering the call takes a weaker lock on the same row, and two calls would then wait for each
    // other. Attempt before job is also the order in which an attempt is settled.
    const attempt = await lockAttempt(db, attemptId);
    if (attempt === undefined) throw new Problem('attempt_call_not_authentic');
    const bodyDigest = createHash('sha256').update(call.raw).digest();
    const seen = await rememberSignedCall(db, { webhookId, attemptId, bodyDigest });
    if (seen === 'repeat') return { result: 'repeat', jobId: attempt.job_id };
    if (seen === 'foreign') throw new Problem('replay');
    // A very small course can be done before its orchestrator has written that it runs.
    if (attempt.state === 'creating')
      throw new Problem('attempt_not_running_yet', undefined, { headers: { 'Retry-After': '1' } });
    const finalized = await recordFinalized(db, attemptId);
    const job = finalized && (await moveJob(db, attempt.job_id, call.manifest.folderId));
    if (job === undefined) throw new Problem('attempt_not_current');
    await insertFiles(db, job.id, attemptId, call.manifest.files);
    await enqueueTask(db, 'grant-access', job.id);
    return { result: 'accepted', jobId: job.id };
  });
