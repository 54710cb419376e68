import { z } from 'zod';
import { attemptsOfJob } from '../../sql/reports.ts';
import { findSamples, usageOfProfiles } from '../../sql/samples.ts';
import { operation } from '../contract/operation.ts';
import { Problem } from '../problem.ts';
import { attemptNumber, instant, iso, jobParam } from './fields.ts';
import { jobIdOf } from './intervention-operations.ts';
import { suggestCpu, suggestMemory } from './suggest-limits.ts';

const KIB = 1024;
const DAYS_DEFAULT = 30;
const DAYS_MAX = 366;

const limits = z.object({ memoryBytes: z.int().optional(), nanoCpus: z.int().optional() });
const NANOS_PER_MILLI = 1_000_000;

export const showSamples = operation({
  method: 'get',
  path: '/v1/jobs/{job}/samples',
  summary: "Memory and processor time of one attempt's container while it ran, and the limits it had",
  roles: ['operator', 'auditor'],
  params: jobParam,
  query: z.strictObject({ attempt: attemptNumber.optional().describe('Which; default: the last.') }),
  answer: z.strictObject({
    attempt: z.int(),
    profile: z.string(),
    memoryLimitBytes: z.int().nullable(),
    cpuLimitMilli: z.int().nullable().describe('Thousandths of one processor.'),
    beganAt: instant.nullable().describe('Null where nothing was sampled: it ran too short, or does not run yet.'),
    stepSeconds: z.int().nullable().describe('Each point stands for so many seconds, with the largest seen in them.'),
    points: z.array(z.strictObject({ atSeconds: z.int(), memoryBytes: z.int(), cpuMilli: z.int().nullable() })),
  }),
  problems: ['job_unknown', 'attempt_unknown'],
  act: async ({ pool, params, query }) => {
    const attempts = await attemptsOfJob(pool, await jobIdOf(pool, params.job));
    const attempt = query.attempt === undefined ? attempts.at(-1) : attempts.find(({ n }) => n === query.attempt);
    if (!attempt) throw new Problem('attempt_unknown');
    const { memoryBytes, nanoCpus } = limits.parse(attempt.limits);
    const samples = await findSamples(pool, attempt.id);
    return {
      attempt: attempt.n,
      profile: attempt.profile,
      memoryLimitBytes: memoryBytes ?? null,
      cpuLimitMilli: nanoCpus === undefined ? null : Math.round(nanoCpus / NANOS_PER_MILLI),
      beganAt: samples ? iso(samples.began_at) : null,
      stepSeconds: samples?.step_seconds ?? null,
      points: (samples?.at_seconds ?? []).map((atSeconds, i) => ({
        atSeconds,
        memoryBytes: (samples?.memory_kib[i] ?? 0) * KIB,
        cpuMilli: samples?.cpu_milli[i] ?? null,
      })),
    };
  },
});

const advice = z.strictObject({
  limit: z.int().nullable(),
  p95: z.int().nullable().describe('Of the peaks of its attempts.'),
  max: z.int().nullable(),
  verdict: z.enum(['too_few', 'keep', 'lower', 'raise']),
  suggested: z.int().nullable(),
  reason: z.string(),
});

export const suggestProfiles = operation({
  method: 'get',
  path: '/v1/profiles/suggestions',
  summary: 'Limits that the profiles could have, by what their finished attempts used',
  roles: ['operator', 'auditor'],
  query: z.strictObject({ days: z.coerce.number().pipe(z.int().min(1).max(DAYS_MAX)).optional() }),
  answer: z.strictObject({
    days: z.int(),
    profiles: z.array(
      z.strictObject({
        profile: z.string(),
        attempts: z.int().describe('Finished attempts that were sampled; what all of this is based on.'),
        outOfMemory: z.int(),
        memoryBytes: advice,
        cpuMilli: advice,
      }),
    ),
  }),
  problems: [],
  act: async ({ pool, query: { days = DAYS_DEFAULT } }) => ({
    days,
    profiles: (await usageOfProfiles(pool, days)).map((usage) => ({
      profile: usage.profile,
      attempts: usage.attempts,
      outOfMemory: usage.out_of_memory,
      memoryBytes: {
        limit: usage.memory_limit_bytes,
        p95: usage.memory_p95_kib * KIB,
        max: usage.memory_max_kib * KIB,
        ...suggestMemory(usage),
      },
      cpuMilli: {
        limit: usage.cpu_limit_milli,
        p95: usage.cpu_p95_milli,
        max: usage.cpu_max_milli,
        ...suggestCpu(usage),
      },
    })),
  }),
});
