import { z } from 'zod';
import { figures } from '../../sql/figures.ts';
import { endedByHour } from '../../sql/hours.ts';
import { operation } from '../contract/operation.ts';
import { instant, iso } from './fields.ts';

const HOURS_DEFAULT = 24;
const HOURS_MAX = 7 * 24;

export const showOverview = operation({
  method: 'get',
  path: '/v1/overview',
  summary: 'What waits and what needs somebody, and how many jobs ended in each of the last hours',
  roles: ['operator', 'auditor'],
  query: z.strictObject({ hours: z.coerce.number().pipe(z.int().min(1).max(HOURS_MAX)).optional() }),
  answer: z.strictObject({
    waiting: z.int().describe('Jobs that wait for a slot.'),
    waitingLongestSeconds: z.number(),
    steps: z.int().describe('Jobs whose enrolment or delivery is due.'),
    stuck: z.int().describe('Steps and attempts that nobody moves on.'),
    unplaced: z.int().describe('Payments and events that wait for a decision.'),
    hours: z.array(z.strictObject({ at: instant, completed: z.int(), dead: z.int(), cancelled: z.int() })),
  }),
  problems: [],
  act: async ({ pool, query: { hours = HOURS_DEFAULT } }) => {
    const [now, ended] = await Promise.all([figures(pool), endedByHour(pool, hours)]);
    return {
      waiting: now.downloads,
      waitingLongestSeconds: now.oldest_seconds,
      steps: now.steps,
      stuck: now.stuck,
      unplaced: now.unplaced,
      hours: ended.map(({ hour, ...counts }) => ({ at: iso(hour), ...counts })),
    };
  },
});
