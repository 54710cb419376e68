import { forgetCourseFolder, lockFolder, readyCourseFolder, returnToEnrolling } from '../../sql/course-folders.ts';
import { deliveryFacts, findDelivery, recordGrant } from '../../sql/deliveries.ts';
import { listFiles } from '../../sql/files.ts';
import { withdrawManifest } from '../../sql/false-manifest.ts';
import type { JobRow } from '../../sql/jobs.ts';
import { inTransaction } from '../../sql/pool.ts';
import { holdStep, releaseStep, takeDelivery, type Step } from '../../sql/steps.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { permanentDriveReason, type DriveFile, type Google } from '../google.ts';
import { verdictOf } from '../outcome.ts';
import { runStep, STEP_LEASE_SECONDS, type StepAnswer, type StepDeps } from './step.ts';

/** Looks until a manifest is called false: Drive may show late what was just uploaded. */
const LOOKS_BEFORE_FALSE = 3;

type GrantDeps = StepDeps & { google: Google; driveParentFolderId: string };

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

const stepOf = (job: JobRow): Step => ({ jobId: job.id, state: 'delivering', epoch: job.step_epoch });

/** The job is tried again, as after any other failed attempt: what is in Drive already is not sent twice. */
async function comeBack(deps: GrantDeps, job: JobRow, detail: string): Promise<StepAnswer> {
  const verdict = verdictOf(
    { outcome: 'manifest_false', detail },
    { attemptsSpent: job.attempts_spent, losses: job.losses },
    { retryBaseSeconds: deps.retryBaseSeconds, retryAfterSeconds: undefined, random: Math.random() },
  );
  const moved = verdict.job !== 'stays' && (await withdrawManifest(deps.pool, stepOf(job), verdict, detail));
  // Its container still runs.
  if (!moved) return { step: 'postpone', detail };
  deps.log.warn({ job: job.id, detail, verdict: verdict.job }, 'manifest is false');
  return { step: 'done' };
}

/** The course's folder is not what it was: this job, or another, fills it again. */
async function uploadAnew(deps: GrantDeps, job: JobRow, folderId: string, detail: string): Promise<StepAnswer> {
  const returned = await inTransaction(deps.pool, async (client) => {
    if (!(await returnToEnrolling(client, stepOf(job)))) return false;
    await forgetCourseFolder(client, folderId);
    await enqueueTask(client, 'enrol', job.id);
    return true;
  });
  if (!returned) return { step: 'not_ours' };
  deps.log.warn({ job: job.id, folder: folderId, detail }, "the course's folder is not what it was");
  return { step: 'done' };
}

async function grant(deps: GrantDeps, job: JobRow): Promise<StepAnswer> {
  const jobId = job.id;
  const facts = await deliveryFacts(deps.pool, jobId);
  if (!facts) throw new Error(`job ${jobId} has nothing to deliver`);
  // The job chose the folder's id; one that is not its own would open somebody else's course.
  // A shared course's folder bears the mark of the job that filled it, which the database says and no job.
  const { uploaded_by: uploader, folder_id: folder } = facts;
  const isReused = uploader !== jobId;
  if (!(await deps.google.isFolderOfJob(folder, uploader, deps.driveParentFolderId))) {
    const detail = `folder ${folder} is not the folder of job ${uploader}`;
    return isReused ? uploadAnew(deps, job, folder, detail) : { step: 'bury', reason: 'grant_refused', detail };
  }
  const missing = undelivered(await listFiles(deps.pool, jobId), await deps.google.filesOfJob(uploader));
  if (missing.length > 0) {
    const detail = `${missing.length} files are not in Drive as claimed, the first: ${missing[0]}`;
    if (isReused) return uploadAnew(deps, job, folder, detail);
    return job.task_failures + 1 < LOOKS_BEFORE_FALSE ? { step: 'postpone', detail } : comeBack(deps, job, detail);
  }
  try {
    const permissionId = await inTransaction(deps.pool, async (client) => {
      if (facts.is_shared) await lockFolder(client, facts.folder_id);
      return await deps.google.grantReader(facts.folder_id, facts.email);
    });
    const recorded = await inTransaction(deps.pool, async (client) => {
      if (!(await holdStep(client, stepOf(job)))) return false;
      if (facts.is_shared && !isReused) await readyCourseFolder(client, jobId, facts.folder_id);
      await recordGrant(client, jobId, { grantedTo: facts.email, permissionId });
      await releaseStep(client, stepOf(job));
      await enqueueTask(client, 'send-mail', jobId);
      return true;
    });
    if (!recorded) return { step: 'not_ours' };
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
  (deps: GrantDeps) =>
  async (jobId: string): Promise<void> => {
    const job = await takeDelivery(deps.pool, jobId, STEP_LEASE_SECONDS);
    if (!job) return;
    const step = stepOf(job);
    const about = { task: 'grant-access', step, failures: job.task_failures, exhausted: 'grant_failed' };
    await runStep(deps, about, async () => {
      if ((await findDelivery(deps.pool, jobId))?.granted_at)
        return (await releaseStep(deps.pool, step)) ? { step: 'done' } : { step: 'not_ours' };
      return grant(deps, job);
    });
  };
