import { z } from 'zod';
import { pageOfJobs, timelineOfJob } from '../../sql/job-pages.ts';
import { JOB_STATES } from '../../sql/jobs.ts';
import { findDelivery } from '../../sql/deliveries.ts';
import { listFiles } from '../../sql/files.ts';
import { attemptsOfJob, findJobReport, orderOfJob } from '../../sql/reports.ts';
import { Problem } from '../problem.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { courseId, instant, iso, isoOrNull, jobParam, nextCursor, PAGE_DEFAULT, paging, UUID } from './fields.ts';
import { operation } from '../contract/operation.ts';

/** A course has some dozens; of one with more the rest stands in Drive. */
const FILES_MAX = 500;

export const deadReason = z.string().regex(/^[a-z_]{1,100}$/);

const jobLine = z.strictObject({
  id: z.uuid(),
  orderCode: z.string(),
  courseId: z.string(),
  state: z.enum(JOB_STATES),
  attempts: z.int(),
  priority: z.int(),
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
    deadReason: deadReason.optional(),
    courseId: courseId.optional(),
  }),
  answer: z.strictObject({ jobs: z.array(jobLine), nextCursor }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query: { limit = PAGE_DEFAULT, cursor, ...filter } }) => {
    const page = await pageOfJobs(pool, filter, openCursor(cursor, UUID), limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      jobs: page.map((job) => ({
        id: job.id,
        orderCode: job.order_code,
        courseId: job.course_id,
        state: job.state,
        attempts: job.attempts_started,
        priority: job.priority,
        deadReason: job.dead_reason,
        createdAt: iso(job.created_at),
        updatedAt: iso(job.updated_at),
      })),
      nextCursor: last ? cursorOf(last.micros, last.id) : null,
    };
  },
});

export const showJob = operation({
  method: 'get',
  path: '/v1/jobs/{job}',
  summary: 'One job with its attempts and all that happened to it',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  params: jobParam,
  answer: z.strictObject({
    ...jobLine.shape,
    deadDetail: z.string().nullable(),
    courseTitle: z.string(),
    redrives: z.int(),
    redriveReason: z.string().nullable(),
    attemptsSpent: z.int(),
    losses: z.int(),
    folderId: z.string().nullable(),
    order: z.strictObject({
      email: z.string(),
      status: z.string(),
      amountVnd: z.int(),
      paidVnd: z.int(),
      createdAt: instant,
      expiresAt: instant,
    }),
    delivery: z
      .strictObject({ grantedTo: z.string(), grantedAt: instant.nullable(), mailedAt: instant.nullable() })
      .nullable(),
    files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string(), driveId: z.string() })),
    filesTotal: z.int().describe(`There may be more than the ${FILES_MAX} that are listed.`),
    attemptList: z.array(
      z.strictObject({
        id: z.uuid(),
        n: z.int(),
        state: z.string(),
        engine: z.string(),
        profile: z.string(),
        limits: z.json().describe('What its container was given.'),
        image: z.string(),
        containerId: z.string().nullable(),
        exitCode: z.int().nullable(),
        stopReason: z.string().nullable(),
        stopDetail: z.string().nullable(),
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
    const [attempts, timeline, order, files, delivery] = await Promise.all([
      attemptsOfJob(pool, job.id),
      timelineOfJob(pool, job.id),
      orderOfJob(pool, job.id),
      listFiles(pool, job.id),
      findDelivery(pool, job.id),
    ]);
    if (!order) throw new Problem('job_unknown');
    return {
      id: job.id,
      orderCode: job.order_code,
      courseId: job.course_id,
      state: job.state as (typeof JOB_STATES)[number],
      attempts: job.attempts_started,
      priority: job.priority,
      deadReason: job.dead_reason,
      deadDetail: job.dead_detail,
      courseTitle: job.course_title,
      redrives: job.redrives,
      redriveReason: job.redrive_reason,
      attemptsSpent: job.attempts_spent,
      losses: job.losses,
      folderId: job.folder_id,
      order: {
        email: job.email,
        status: order.status,
        amountVnd: order.amount_vnd,
        paidVnd: order.paid_vnd,
        createdAt: iso(order.created_at),
        expiresAt: iso(order.expires_at),
      },
      delivery: delivery
        ? {
            grantedTo: delivery.granted_to,
            grantedAt: isoOrNull(delivery.granted_at),
            mailedAt: isoOrNull(delivery.mailed_at),
          }
        : null,
      files: files.slice(0, FILES_MAX).map(({ path, bytes, sha256, drive_id }) => ({
        path,
        bytes,
        sha256,
        driveId: drive_id,
      })),
      filesTotal: files.length,
      createdAt: iso(job.created_at),
      updatedAt: iso(job.updated_at),
      attemptList: attempts.map((one) => ({
        id: one.id,
        n: one.n,
        state: one.state,
        engine: one.engine,
        profile: one.profile,
        limits: one.limits as z.core.util.JSONType,
        image: one.image,
        containerId: one.container_id,
        exitCode: one.exit_code,
        stopReason: one.stop_reason,
        stopDetail: one.stop_detail,
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
