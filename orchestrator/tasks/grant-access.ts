import { forgetCourseFolder, lockFolder, readyCourseFolder } from '../../sql/course-folders.ts';
import { deliveryFacts, findDelivery, recordGrant } from '../../sql/deliveries.ts';
import { listFiles } from '../../sql/files.ts';
import { releaseStep, takeDelivery } from '../../sql/jobs.ts';
import { inTransaction } from '../../sql/pool.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { permanentDriveReason, type DriveFile, type Google } from '../google.ts';
import { runStep, STEP_LEASE_SECONDS, type StepAnswer, type StepDeps } from './step.ts';

/** What the job claims to have delivered and Drive does not have as claimed. The manifest is evidence, not proof. */
export function undelivered(
  claimed: readonly { path: string; bytes: number; sha256: string; drive_id: string }[],
  inDrive: readonly DriveFile[],
): string[] {
  const byId = new Map(inDrive.map((file) => [file.id, file]));
  return claimed
    .filter((file) => {
      const seen = byId.get(file.drive_id);
      return seen?.size !== file.bytes || seen.sha256 !== file.sha256;
    })
    .map((file) => file.path);
}

async function grant(
  deps: StepDeps & { google: Google; driveParentFolderId: string },
  jobId: string,
): Promise<StepAnswer> {
  const facts = await deliveryFacts(deps.pool, jobId);
  if (!facts) throw new Error(`job ${jobId} has nothing to deliver`);
  // The job chose the folder's id; one that is not its own would open somebody else's course.
  // A shared course's folder bears the mark of the job that filled it, which the database says and no job.
  const { uploaded_by: uploader } = facts;
  const isReused = uploader !== jobId;
  if (!(await deps.google.isFolderOfJob(facts.folder_id, uploader, deps.driveParentFolderId))) {
    if (isReused) await forgetCourseFolder(deps.pool, facts.folder_id);
    return {
      step: 'bury',
      reason: 'grant_refused',
      detail: `folder ${facts.folder_id} is not the folder of job ${uploader}`,
    };
  }
  const missing = undelivered(await listFiles(deps.pool, jobId), await deps.google.filesOfJob(uploader));
  if (missing.length > 0 && isReused) {
    await forgetCourseFolder(deps.pool, facts.folder_id);
    return { step: 'bury', reason: 'grant_refused', detail: `${missing.length} files of the course's folder are gone` };
  }
  if (missing.length > 0)
    return {
      step: 'postpone',
      detail: `${missing.length} files are not in Drive as claimed, the first: ${missing[0]}`,
    };
  try {
    const permissionId = await inTransaction(deps.pool, async (client) => {
      if (facts.is_shared) await lockFolder(client, facts.folder_id);
      return await deps.google.grantReader(facts.folder_id, facts.email);
    });
    await inTransaction(deps.pool, async (client) => {
      if (facts.is_shared && !isReused) await readyCourseFolder(client, jobId, facts.folder_id);
      await recordGrant(client, jobId, { grantedTo: facts.email, permissionId });
      await releaseStep(client, jobId, 'delivering');
      await enqueueTask(client, 'send-mail', jobId);
    });
    deps.log.info({ job: jobId, permission: permissionId }, 'access granted');
    return { step: 'done' };
  } catch (error) {
    const reason = permanentDriveReason(error);
    if (reason === undefined) throw error;
    return { step: 'bury', reason: 'grant_refused', detail: `Drive refuses to share with ${facts.email}: ${reason}` };
  }
}

/** Compares the manifest with what Drive has, then lets the customer read the folder. */
export const makeGrantAccessTask =
  (deps: StepDeps & { google: Google; driveParentFolderId: string }) =>
  async (jobId: string): Promise<void> => {
    const job = await takeDelivery(deps.pool, jobId, STEP_LEASE_SECONDS);
    if (!job) return;
    const about = {
      task: 'grant-access',
      jobId,
      state: 'delivering',
      failures: job.task_failures,
      exhausted: 'grant_failed',
    } as const;
    await runStep(deps, about, async () => {
      if ((await findDelivery(deps.pool, jobId))?.granted_at) {
        await releaseStep(deps.pool, jobId, 'delivering');
        return { step: 'not_ours' };
      }
      return grant(deps, jobId);
    });
  };
