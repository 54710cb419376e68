import { claimCourseFolder } from '../../sql/course-folders.ts';
import { beginEnrol, confirmEnrol, type Step } from '../../sql/steps.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { enrol } from '../providers/enrolment.ts';
import type { Profiles } from '../profiles.ts';
import { runStep, STEP_LEASE_SECONDS, type StepDeps } from './step.ts';

/** How often a job looks whether the folder that another one fills is ready. */
const FOLDER_LOOK_SECONDS = 2;

export type EnrolDeps = StepDeps & {
  providerTokens: ReadonlyMap<string, string>;
  profiles: Profiles;
  /** A job waits for a slot now. Where there is none, or this process dies here, reconcile queues it. */
  onEnrolled: () => void;
};

/** The provider confirms access to the course; then the job waits for a slot. */
export const makeEnrolTask =
  (deps: EnrolDeps) =>
  async (jobId: string): Promise<void> => {
    const job = await beginEnrol(deps.pool, jobId, STEP_LEASE_SECONDS);
    if (!job) return;
    const step: Step = { jobId, state: 'enrolling', epoch: job.step_epoch };
    const about = { task: 'enrol', step, failures: job.task_failures, exhausted: 'enrol_failed' };
    await runStep(deps, about, async () => {
      if (!deps.profiles.has(job.course_profile))
        return { step: 'bury', reason: 'course_misconfigured', detail: `no profile ${job.course_profile}` };
      const result = await enrol({ provider: job.course_provider, source: job.course_source }, deps.providerTokens, {
        id: job.order_id,
      });
      if (!result.ok)
        return result.retry
          ? { step: 'postpone', detail: result.detail, afterSeconds: result.retryAfterSeconds ?? 0 }
          : { step: 'bury', reason: result.reason, detail: result.detail };
      const claim = await claimCourseFolder(deps.pool, step);
      if (claim === 'not_ours') return { step: 'not_ours' };
      if (claim === 'wait') return { step: 'defer', afterSeconds: FOLDER_LOOK_SECONDS };
      if (claim === 'reused') {
        await enqueueTask(deps.pool, 'grant-access', jobId);
        deps.log.info({ job: jobId }, 'job enrolled, the course is in Drive already');
        return { step: 'done' };
      }
      if (!(await confirmEnrol(deps.pool, step))) return { step: 'not_ours' };
      deps.onEnrolled();
      deps.log.info({ job: jobId }, 'job enrolled');
      return { step: 'done' };
    });
  };
