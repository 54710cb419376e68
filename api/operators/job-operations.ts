import { z } from 'zod';
import { pageOfJobs, timelineOfJob } from '../../sql/job-pages.ts';
import { JOB_STATES } from '../../sql/jobs.ts';
import { attemptsOfJob, findJobReport } from '../../sql/reports.ts';
import { Problem } from '../problem.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { instant, iso, isoOrNull, nextCursor, orderCode, PAGE_DEFAULT, paging, UUID } from './fields.ts';
import { operation } from './operation.ts';

const jobLine = z.strictObject({
  id: z.uuid(),
  orderCode: z.string(),
  courseId: z.string(),
  state: z.enum(JOB_STATES),
  attempts: z.int(),
  deadReason: z.string().nullable(),
  createdAt: instant,
  updatedAt: instant,
});

export const listJobs = operation({
  method: 'get',
  path: '/v1/jobs',
  summary: 'Jobs, the newest first',
  roles: ['operator', 'auditor'],
  query: z.strictObject({
    ...paging,
    state: z.enum(JOB_STATES).optional(),
    deadReason: z
      .string()
      .regex(/^[a-z_]{1,100}$/)
      .optional(),
  }),
  answer: z.strictObject({ jobs: z.array(jobLine), nextCursor }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query }) => {
    const limit = query.limit ?? PAGE_DEFAULT;
    const after = openCursor(query.cursor, UUID);
    const page = await pageOfJobs(pool, query as never, after && { created_at: after.at, id: after.id }, limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      jobs: page.map((job) => ({
        id: job.id,
        orderCode: job.order_code,
        courseId: job.course_id,
        state: job.state,
        attempts: job.attempts_started,
        deadReason: job.dead_reason,
        createdAt: iso(job.created_at),
        updatedAt: iso(job.updated_at),
      })),
      nextCursor: last ? cursorOf(last.created_at, last.id) : null,
    };
  },
});

export const showJob = operation({
  method: 'get',
  path: '/v1/jobs/{job}',
  summary: 'One job with its attempts and all that happened to it',
  roles: ['operator', 'auditor'],
  params: z.strictObject({
    job: z.union([z.string().regex(UUID), orderCode]).describe("A job's id or its order's code"),
  }),
  answer: z.strictObject({
    ...jobLine.shape,
    deadDetail: z.string().nullable(),
    attemptList: z.array(
      z.strictObject({
        id: z.uuid(),
        n: z.int(),
        state: z.string(),
        engine: z.string(),
        profile: z.string(),
        exitCode: z.int().nullable(),
        outcome: z.string().nullable(),
        detail: z.string().nullable(),
        createdAt: instant,
        runningAt: instant.nullable(),
        settledAt: instant.nullable(),
      }),
    ),
    timeline: z.array(
      z.strictObject({
        at: instant,
        subject: z.string(),
        from: z.string().nullable(),
        to: z.string(),
        actor: z.string(),
        detail: z.json(),
      }),
    ),
  }),
  problems: ['job_unknown'],
  act: async ({ pool, params }) => {
    const job = await findJobReport(pool, params.job);
    if (!job) throw new Problem('job_unknown');
    const [attempts, timeline] = await Promise.all([attemptsOfJob(pool, job.id), timelineOfJob(pool, job.id)]);
    return {
      id: job.id,
      orderCode: job.order_code,
      courseId: job.course_id,
      state: job.state as (typeof JOB_STATES)[number],
      attempts: job.attempts_started,
      deadReason: job.dead_reason,
      deadDetail: job.dead_detail,
      createdAt: iso(job.created_at),
      updatedAt: iso(job.updated_at),
      attemptList: attempts.map((one) => ({
        id: one.id,
        n: one.n,
        state: one.state,
        engine: one.engine,
        profile: one.profile,
        exitCode: one.exit_code,
        outcome: one.outcome,
        detail: one.detail,
        createdAt: iso(one.created_at),
        runningAt: isoOrNull(one.running_at),
        settledAt: isoOrNull(one.settled_at),
      })),
      timeline: timeline.map((one) => ({
        at: iso(one.at),
        subject: one.subject,
        from: one.from_state,
        to: one.to_state,
        actor: one.actor,
        detail: one.detail as z.core.util.JSONType,
      })),
    };
  },
});
