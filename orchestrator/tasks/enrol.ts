import { findCourse } from '../../sql/courses.ts';
import { beginEnrol, confirmEnrol } from '../../sql/jobs.ts';
import { inTransaction } from '../../sql/pool.ts';
import { enqueueTask } from '../../sql/tasks.ts';
import { enrol } from '../providers/enrolment.ts';
import type { Profiles } from '../profiles.ts';
import { runStep, STEP_LEASE_SECONDS, type StepDeps } from './step.ts';

/** The provider confirms access to the course; then the job waits for a slot. */
export const makeEnrolTask =
  (deps: StepDeps & { providerTokens: ReadonlyMap<string, string>; profiles: Profiles }) =>
  async (jobId: string): Promise<void> => {
    const job = await beginEnrol(deps.pool, jobId, STEP_LEASE_SECONDS);
    if (!job) return;
    const about = {
      task: 'enrol',
      jobId,
      state: 'enrolling',
      failures: job.task_failures,
      exhausted: 'enrol_failed',
    } as const;
    await runStep(deps, about, async () => {
      const course = await findCourse(deps.pool, job.course_id);
      if (!course) return { step: 'bury', reason: 'course_misconfigured', detail: `no course ${job.course_id}` };
      if (!deps.profiles.has(course.profile))
        return { step: 'bury', reason: 'course_misconfigured', detail: `no profile ${course.profile}` };
      const result = await enrol(course.source, deps.providerTokens, { id: job.order_id });
      if (!result.ok)
        return result.retry
          ? { step: 'postpone', detail: result.detail, afterSeconds: result.retryAfterSeconds ?? 0 }
          : { step: 'bury', reason: result.reason, detail: result.detail };
      await inTransaction(deps.pool, async (client) => {
        if (await confirmEnrol(client, jobId)) await enqueueTask(client, 'start-attempt', jobId);
      });
      deps.log.info({ job: jobId }, 'job enrolled');
      return { step: 'done' };
    });
  };
