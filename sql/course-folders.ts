/** The folder of a course that many orders share: claimed by one job, ready when its files are proven. */
import type { Database } from './pool.ts';
import type { Step } from './steps.ts';

export type FolderClaim = 'upload' | 'reused' | 'wait' | 'not_ours';

/** What an enrolling job does next; 0007 has the rules. `reused`: the job is `delivering` now. */
export async function claimCourseFolder(db: Database, { jobId, epoch }: Step): Promise<FolderClaim> {
  const { rows } = await db.query<{ claim: FolderClaim }>('SELECT claim_course_folder($1::uuid, $2::int) AS claim', [
    jobId,
    epoch,
  ]);
  return rows[0]?.claim ?? 'not_ours';
}

/** Every file of this job's upload is in Drive as claimed. False where the course's folder is not this job's to fill. */
export async function readyCourseFolder(db: Database, jobId: string, folderId: string): Promise<boolean> {
  const { rowCount } = await db.query(
    'UPDATE course_folders SET folder_id = $2::text, ready_at = now() WHERE job_id = $1::uuid AND ready_at IS NULL',
    [jobId, folderId],
  );
  return rowCount === 1;
}

/** The folder is not what it was: the next order uploads anew. */
export async function forgetCourseFolder(db: Database, folderId: string): Promise<void> {
  await db.query('UPDATE course_folders SET folder_id = NULL, ready_at = NULL WHERE folder_id = $1::text', [folderId]);
}

/** Held to the end of the transaction: Drive applies only the last of several changes of permissions at once. */
export async function lockFolder(db: Database, folderId: string): Promise<void> {
  await db.query(`SELECT pg_advisory_xact_lock(hashtext('lading folder'), hashtext($1::text))`, [folderId]);
}

/** From delivering what another job uploaded back to where the course's folder is claimed. False where it does not. */
export async function returnToEnrolling(db: Database, { jobId, epoch }: Step): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE jobs SET state = 'enrolling', next_task_at = now(), task_failures = 0, updated_at = now()
     WHERE id = $1::uuid AND state = 'delivering' AND step_epoch = $2::int AND delivers_job IS NOT NULL`,
    [jobId, epoch],
  );
  return rowCount === 1;
}
