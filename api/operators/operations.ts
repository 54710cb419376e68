import { z } from 'zod';
import { recordChange } from '../../sql/api-keys.ts';
import { ledgerTotals, listInbox } from '../../sql/inbox.ts';
import { pageOfJobs, timelineOfJob } from '../../sql/job-pages.ts';
import { JOB_STATES } from '../../sql/jobs.ts';
import { attemptsOfJob, findJobReport } from '../../sql/reports.ts';
import { decide, type Action } from '../payments/decide.ts';
import { Problem } from '../problem.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { operation, type Operation } from './operation.ts';

const PAGE_MAX = 100;
const PAGE_DEFAULT = 50;
const RAW_SHOWN_CHARS = 16 * 1024;

const instant = z.iso.datetime();
const iso = (at: Date): string => at.toISOString();
const isoOrNull = (at: Date | null): string | null => at?.toISOString() ?? null;
const paging = {
  limit: z.coerce.number().pipe(z.int().min(1).max(PAGE_MAX)).optional(),
  cursor: z.string().max(200).optional(),
};
const nextCursor = z.string().nullable().describe('For the next page; null at the end.');
/** Text that Postgres can hold. */
const said = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'holds what is no character');
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const INBOX_ID = /^(payment|event):\d{1,15}$/;
const orderCode = z.string().regex(/^LD[2-9A-HJKMNP-TW-Z]{10}$/);

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

const listJobs = operation({
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

const showJob = operation({
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

const inboxItem = z.strictObject({
  id: z.string(),
  since: instant,
  reason: z.string(),
  amountVnd: z.int().nullable(),
  accountNumber: z.string().nullable(),
  content: z.string().nullable(),
  transferredAt: instant.nullable(),
  proposedOrderCode: z.string().nullable(),
  wrongFields: z.array(z.string()).nullable(),
  raw: z.string().nullable().describe('An event that was not understood, as far as it is text.'),
});

const showInbox = operation({
  method: 'get',
  path: '/v1/payments/inbox',
  summary: 'Money and events that wait for a decision, the oldest first',
  roles: ['operator', 'auditor'],
  query: z.strictObject(paging),
  answer: z.strictObject({ items: z.array(inboxItem), nextCursor }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query }) => {
    const limit = query.limit ?? PAGE_DEFAULT;
    const after = openCursor(query.cursor, INBOX_ID);
    const page = await listInbox(pool, after && { since: after.at, id: after.id }, limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      items: page.map((item) => ({
        id: item.id,
        since: iso(item.since),
        reason: item.reason,
        amountVnd: item.amount_vnd,
        accountNumber: item.account_number,
        content: item.content,
        transferredAt: isoOrNull(item.transferred_at),
        proposedOrderCode: item.proposed_order_code,
        wrongFields: item.wrong_fields,
        raw: item.raw?.toString('utf8').slice(0, RAW_SHOWN_CHARS) ?? null,
      })),
      nextCursor: last ? cursorOf(last.since, last.id) : null,
    };
  },
});

const decideInbox = operation({
  method: 'post',
  path: '/v1/payments/inbox/{item}/decision',
  summary: 'Decide, once, what becomes of something in the inbox',
  roles: ['operator'],
  params: z.strictObject({ item: z.string().regex(INBOX_ID) }),
  body: z.strictObject({
    action: z.enum(['assign', 'refund-recorded', 'ignore']),
    orderCode: orderCode.optional().describe('Where money is assigned to; needed for assign and for nothing else.'),
    reason: said,
  }),
  answer: z.strictObject({
    decided: z.literal(true),
    job: z.uuid().nullable().describe('The job that began with it.'),
  }),
  problems: ['inbox_item_unknown', 'decided_before', 'order_unknown', 'decision_not_possible'],
  act: async ({ pool, caller, requestId, params, body }) => {
    if ((body.action === 'assign') !== (body.orderCode !== undefined))
      throw new Problem('request_invalid', undefined, {
        errors: [{ field: 'orderCode', message: 'is needed for assign and for nothing else' }],
      });
    const action: Action =
      body.action === 'assign' ? { action: 'assign', orderCode: body.orderCode ?? '' } : { action: body.action };
    const words = { person: caller.name, reason: body.reason };
    const decided = await decide(pool, params.item, action, words, (db, job) =>
      recordChange(db, {
        keyId: caller.keyId,
        requestId,
        action: `inbox ${body.action}`,
        subject: params.item,
        before: { waiting: true },
        after: { ...body, job: job ?? null },
      }),
    );
    if (decided.result === 'unknown') throw new Problem('inbox_item_unknown');
    if (decided.result === 'no_money' || decided.result === 'not_for_events')
      throw new Problem('decision_not_possible');
    if (decided.result !== 'decided') throw new Problem(decided.result);
    return { decided: true as const, job: decided.job ?? null };
  },
});

const showLedger = operation({
  method: 'get',
  path: '/v1/payments/ledger',
  summary: 'How much money stands where; together it is the feed of the bank',
  roles: ['operator', 'auditor'],
  answer: z.strictObject({
    totals: z.array(
      z.strictObject({ stands: z.string(), transfers: z.int(), balanceVnd: z.string().regex(/^-?\d+$/) }),
    ),
  }),
  problems: [],
  act: async ({ pool }) => ({
    totals: (await ledgerTotals(pool)).map(({ stands, count, balance }) => ({
      stands,
      transfers: count,
      balanceVnd: balance,
    })),
  }),
});

/** In the order of the document. */
export const OPERATIONS: readonly Operation[] = [listJobs, showJob, showInbox, decideInbox, showLedger];
