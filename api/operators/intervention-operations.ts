import { z } from 'zod';
import { operatorCancels, operatorPrioritises, operatorRedrives } from '../../sql/operating.ts';
import type { Pool } from '../../sql/pool.ts';
import { findJobReport } from '../../sql/reports.ts';
import { operation } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { jobParam, PRIORITY, words } from './fields.ts';

/** Throws `job_unknown`. */
export async function jobIdOf(pool: Pool, idOrCode: string): Promise<string> {
  const job = await findJobReport(pool, idOrCode);
  if (!job) throw new Problem('job_unknown');
  return job.id;
}

const why = z.strictObject({ reason: words.describe('Stays with the job.') });

export const cancelOne = operation({
  method: 'post',
  path: '/v1/jobs/{job}/cancel',
  summary: 'End a job at whatever point it is: at once, or as soon as its container has stopped',
  roles: ['operator'],
  params: jobParam,
  body: why,
  answer: z.strictObject({ id: z.uuid(), result: z.enum(['dead', 'stopping']) }),
  problems: ['job_unknown', 'job_not_cancellable'],
  act: async ({ pool, act, params, body }) => {
    const id = await jobIdOf(pool, params.job);
    const result = await operatorCancels(pool, act, id, body.reason);
    if (result === 'unknown') throw new Problem('job_unknown');
    if (result === 'too_late') throw new Problem('job_not_cancellable');
    return { id, result };
  },
});

export const retryOne = operation({
  method: 'post',
  path: '/v1/jobs/{job}/retry',
  summary: 'Send a dead job on its way again, from the start and with all its attempts',
  roles: ['operator'],
  params: jobParam,
  body: why,
  answer: z.strictObject({ id: z.uuid(), result: z.literal('redriven') }),
  problems: ['job_unknown', 'job_not_dead', 'job_still_running', 'job_not_paid'],
  act: async ({ pool, act, params, body }) => {
    const id = await jobIdOf(pool, params.job);
    const result = await operatorRedrives(pool, act, id, body.reason);
    if (result === 'unknown') throw new Problem('job_unknown');
    if (result === 'not_dead') throw new Problem('job_not_dead');
    if (result === 'still_running') throw new Problem('job_still_running');
    if (result === 'not_paid') throw new Problem('job_not_paid');
    return { id, result };
  },
});

export const setPriority = operation({
  method: 'put',
  path: '/v1/jobs/{job}/priority',
  summary: 'Give a job another place in the queue; nothing waits for ever, whatever its priority',
  roles: ['operator'],
  params: jobParam,
  body: z.strictObject({ priority: PRIORITY }),
  answer: z.strictObject({ id: z.uuid(), priority: z.int() }),
  problems: ['job_unknown', 'job_not_queued'],
  act: async ({ pool, act, params, body }) => {
    const id = await jobIdOf(pool, params.job);
    const result = await operatorPrioritises(pool, act, id, body.priority);
    if (result === 'unknown') throw new Problem('job_unknown');
    if (result === 'not_queued') throw new Problem('job_not_queued');
    return { id, priority: body.priority };
  },
});
