import { z } from 'zod';
import { listCourses, pageOfCatalogue } from '../../sql/courses.ts';
import { operatorPutsCourse } from '../../sql/operating.ts';
import { inTransaction } from '../../sql/pool.ts';
import { operation } from '../contract/operation.ts';
import { courseEntry, rowsOf } from './course-entry.ts';
import { courseId, instant, PAGE_DEFAULT, paging } from './fields.ts';

const COURSES_PUT_MAX = 100;
const BODY_MAX_BYTES = 512 * 1024;

export const showCourses = operation({
  method: 'get',
  path: '/v1/courses',
  summary: 'The courses that can be ordered',
  roles: [],
  answer: z.strictObject({
    courses: z.array(z.strictObject({ id: z.string(), title: z.string(), priceVnd: z.int() })),
  }),
  problems: [],
  act: async ({ pool }) => ({
    courses: (await listCourses(pool)).map(({ id, title, price_vnd }) => ({ id, title, priceVnd: price_vnd })),
  }),
});

export const showCatalogue = operation({
  method: 'get',
  path: '/v1/catalogue',
  summary: 'Every course, by id, with where its files come from and its rights record',
  roles: ['operator', 'auditor'],
  query: z.strictObject({
    limit: paging.limit,
    after: courseId.optional().describe('The last id of the page before.'),
  }),
  answer: z.strictObject({
    courses: z.array(
      z.strictObject({
        id: z.string(),
        title: z.string(),
        priceVnd: z.int(),
        provider: z.string(),
        source: z.json(),
        profile: z.string(),
        folder: z.string(),
        priority: z.int(),
        listed: z.boolean(),
        rights: z
          .strictObject({ kind: z.string(), evidence: z.string(), recordedBy: z.string(), recordedAt: instant })
          .nullable(),
        orderable: z.boolean(),
      }),
    ),
    more: z.boolean(),
  }),
  problems: [],
  act: async ({ pool, query: { limit = PAGE_DEFAULT, after } }) => {
    const page = await pageOfCatalogue(pool, after, limit);
    return {
      courses: page.map(({ price_vnd, source, ...course }) => ({
        ...course,
        priceVnd: price_vnd,
        source: source as z.core.util.JSONType,
        orderable: course.listed && course.rights !== null,
      })),
      more: page.length === limit,
    };
  },
});

export const putCatalogue = operation({
  method: 'put',
  path: '/v1/catalogue',
  summary: 'Make or renew these courses, all or none; others stay as they are',
  roles: ['operator'],
  body: z.strictObject({ courses: z.array(courseEntry).min(1).max(COURSES_PUT_MAX) }),
  bodyMaxBytes: BODY_MAX_BYTES,
  answer: z.strictObject({ courses: z.array(z.strictObject({ id: z.string(), rightsGiven: z.boolean() })) }),
  problems: [],
  act: ({ pool, act, caller, body }) =>
    inTransaction(pool, async (db) => {
      // In one order, so that two that put the same courses do not wait for each other.
      for (const one of body.courses.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
        const { course, rights } = rowsOf(one, caller.name);
        await operatorPutsCourse(db, act, course, rights);
      }
      return { courses: body.courses.map(({ id, rights }) => ({ id, rightsGiven: rights !== undefined })) };
    }),
});
