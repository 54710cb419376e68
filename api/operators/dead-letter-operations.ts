import { z } from 'zod';
import { oldestDeadLetters, pageOfDeadLetters } from '../../sql/dead-letters.ts';
import { operatorRedrives } from '../../sql/operating.ts';
import { operation } from '../contract/operation.ts';
import { cursorOf, openCursor } from './cursor.ts';
import { courseId, instant, iso, nextCursor, PAGE_DEFAULT, paging, UUID, words } from './fields.ts';
import { deadReason } from './job-operations.ts';

/** How many jobs one call sends on their way; the rest waits for the next call. */
const REDRIVE_MAX = 100;

const filter = {
  deadReason: deadReason.optional(),
  courseId: courseId.optional(),
  diedAfter: instant.optional(),
  diedBefore: instant.optional(),
};

export const listDeadLetters = operation({
  method: 'get',
  path: '/v1/dead-letters',
  summary: 'Jobs that will not run again by themselves, the latest first, each with what became of its attempts',
  roles: ['operator', 'auditor'],
  isRecorded: true,
  query: z.strictObject({ ...paging, ...filter }),
  answer: z.strictObject({
    deadLetters: z.array(
      z.strictObject({
        id: z.uuid(),
        orderCode: z.string(),
        email: z.string(),
        courseId: z.string(),
        deadReason: z.string(),
        deadDetail: z.string().nullable(),
        diedAt: instant,
        redrives: z.int(),
        attempts: z.array(
          z.strictObject({
            n: z.int(),
            outcome: z.string().nullable(),
            exitCode: z.int().nullable(),
            detail: z.string().nullable(),
          }),
        ),
      }),
    ),
    nextCursor,
  }),
  problems: ['cursor_invalid'],
  act: async ({ pool, query: { limit = PAGE_DEFAULT, cursor, ...wanted } }) => {
    const page = await pageOfDeadLetters(pool, wanted, openCursor(cursor, UUID), limit);
    const last = page.length === limit ? page.at(-1) : undefined;
    return {
      deadLetters: page.map((letter) => ({
        id: letter.id,
        orderCode: letter.order_code,
        email: letter.email,
        courseId: letter.course_id,
        deadReason: letter.dead_reason,
        deadDetail: letter.dead_detail,
        diedAt: iso(letter.died_at),
        redrives: letter.redrives,
        attempts: letter.attempts.map(({ n, outcome, exit_code, detail }) => ({
          n,
          outcome,
          exitCode: exit_code,
          detail,
        })),
      })),
      nextCursor: last ? cursorOf(last.micros, last.id) : null,
    };
  },
});

export const redriveDeadLetters = operation({
  method: 'post',
  path: '/v1/dead-letters/redrive',
  summary:
    'Send the dead jobs that a filter finds on their way again, those that died first; or only say which. Cancelled ones only when the filter names that reason',
  roles: ['operator'],
  body: z.strictObject({
    filter: z
      .strictObject(filter)
      .refine((wanted) => Object.values(wanted).some((value) => value !== undefined), 'needs one field at least'),
    reason: words.describe('Stays with each job.'),
    dryRun: z.boolean().default(false).describe('Changes nothing and answers what would be sent.'),
    limit: z.int().min(1).max(REDRIVE_MAX).default(REDRIVE_MAX),
  }),
  answer: z.strictObject({
    jobs: z.array(
      z.strictObject({
        id: z.uuid(),
        orderCode: z.string(),
        deadReason: z.string(),
        result: z.enum(['redriven', 'would_be_redriven', 'not_dead', 'still_running', 'not_paid']),
      }),
    ),
    more: z.boolean().describe('There may be more: call again.'),
  }),
  problems: [],
  act: async ({ pool, act, body }) => {
    const found = await oldestDeadLetters(pool, body.filter, body.limit);
    const jobs = [];
    for (const { id, order_code, dead_reason } of found) {
      const result = body.dryRun ? ('would_be_redriven' as const) : await operatorRedrives(pool, act, id, body.reason);
      jobs.push({
        id,
        orderCode: order_code,
        deadReason: dead_reason,
        result: result === 'unknown' ? ('not_dead' as const) : result,
      });
    }
    return { jobs, more: found.length === body.limit };
  },
});
