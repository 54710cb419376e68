import { SESSIONS_MAX, type ProgressCall } from '../../job-image/contract/signed-call.ts';
import { inTransaction, type Pool } from '../../sql/pool.ts';
import { confirmSessions, forgetSessions, keepSessions, sessionsOfJob } from '../../sql/upload-sessions.ts';
import { mustRun, takeSignedCall } from '../current-attempt.ts';
import type { SignedCall } from '../read-signed-call.ts';

type Sessions = { path: string; sealed: string }[];

/**
 * Writes down what the call tells, once, and answers what the job has kept where it asks. Only the attempt that runs is
 * heard: one that was settled, or handed over its manifest, has nothing to keep. Throws Problem.
 */
export const keepProgress = (pool: Pool, call: SignedCall & { told: ProgressCall }): Promise<Sessions> =>
  inTransaction(pool, async (db) => {
    const { told } = call;
    const { attempt, seen } = await takeSignedCall(db, call);
    mustRun(attempt);
    const ids = { id: attempt.id, jobId: attempt.job_id };
    // A repeat that comes late would undo what was told since.
    if (seen === 'first') {
      await forgetSessions(db, ids.jobId, told.forget);
      const kept = told.keep.map((each) => ({ ...each, sealed: Buffer.from(each.sealed, 'base64') }));
      await keepSessions(db, ids, kept, SESSIONS_MAX);
      await confirmSessions(db, ids, told.confirmed);
    }
    if (!told.recall) return [];
    return (await sessionsOfJob(db, ids.jobId)).map(({ path, sealed }) => ({
      path,
      sealed: sealed.toString('base64'),
    }));
  });
