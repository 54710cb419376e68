import type { FinalizeBody } from '../../job-image/contract/signed-call.ts';
import { recordFinalized } from '../../sql/attempts.ts';
import { insertFiles } from '../../sql/files.ts';
import { acceptManifest as moveJob } from '../../sql/jobs.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { takeSignedCall } from '../current-attempt.ts';
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
    const { attempt, seen } = await takeSignedCall(db, call);
    if (seen === 'repeat') return { result: 'repeat', jobId: attempt.job_id };
    const finalized = await recordFinalized(db, attempt.id);
    const job = finalized && (await moveJob(db, attempt.job_id, call.manifest.folderId));
    if (job === undefined) throw new Problem('attempt_not_current');
    await insertFiles(db, job.id, attempt.id, call.manifest.files);
    await enqueueTask(db, 'grant-access', job.id);
    return { result: 'accepted', jobId: job.id };
  });
