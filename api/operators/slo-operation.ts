import { z } from 'zod';
import { sloFigures } from '../../sql/slo.ts';
import { operation } from '../contract/operation.ts';
import { instant, iso } from './fields.ts';
import { TARGETS } from './slo.ts';

const HOURS_DEFAULT = 30 * 24;
const HOURS_MAX = 366 * 24;
const HOUR_SECONDS = 3_600;

export const showSlo = operation({
  method: 'get',
  path: '/v1/slo',
  summary: 'The five targets, and what was reached over the last hours',
  roles: ['operator', 'auditor'],
  query: z.strictObject({ hours: z.coerce.number().pipe(z.int().min(1).max(HOURS_MAX)).optional() }),
  answer: z.strictObject({
    since: instant,
    until: instant,
    targets: z.array(
      z.strictObject({
        name: z.string(),
        target: z.string(),
        actual: z.number().nullable().describe('Null where there was nothing to measure.'),
        unit: z.enum(['minutes', 'percent']),
        holds: z.boolean().nullable(),
        measures: z.string(),
      }),
    ),
    counts: z.strictObject({
      completed: z.int(),
      dead: z.int(),
      cancelled: z.int(),
      started: z.int(),
      retried: z.int(),
      retriedCompleted: z.int(),
    }),
    queueWaitP95Seconds: z.number().nullable(),
  }),
  problems: [],
  act: async ({ pool, query: { hours = HOURS_DEFAULT } }) => {
    const figures = await sloFigures(pool, hours);
    return {
      since: iso(figures.since),
      until: iso(figures.until),
      targets: TARGETS.map(({ name, target, actual: measure, unit, holds, measures }) => {
        const actual = measure(figures, hours * HOUR_SECONDS);
        return { name, target, actual, unit, holds: actual === null ? null : holds(actual), measures };
      }),
      counts: {
        completed: figures.completed,
        dead: figures.dead,
        cancelled: figures.cancelled,
        started: figures.started,
        retried: figures.retried,
        retriedCompleted: figures.retried_completed,
      },
      queueWaitP95Seconds: figures.queue_wait_p95_seconds,
    };
  },
});
