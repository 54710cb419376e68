/** From what finished attempts of a profile used to the limits it could have. Pure. */
import type { ProfileUsage } from '../../sql/samples.ts';

/** Fewer say too little about the next one. */
export const ATTEMPTS_NEEDED = 20;
const KIB = 1024;
const MEMORY_STEP_BYTES = 64 * 1024 * 1024;
const CPU_STEP_MILLI = 100;
/** Room above what nineteen of twenty needed, and above the most that one did. */
const MEMORY_ABOVE_P95 = 1.5;
const MEMORY_ABOVE_MAX = 1.2;
/** Less processor time than it wants only makes a job slower. */
const CPU_ABOVE_P95 = 1.25;
const RAISED = 1.5;
/** So near its limit it was held back by it. */
const AT_LIMIT = 0.95;

export type Suggestion = {
  verdict: 'too_few' | 'keep' | 'lower' | 'raise';
  /** Null where there is nothing to go by. */
  suggested: number | null;
  reason: string;
};

const upTo = (step: number, value: number): number => Math.ceil(value / step) * step;
const tooFew = (attempts: number): Suggestion => ({
  verdict: 'too_few',
  suggested: null,
  reason: `${attempts} sampled attempts; ${ATTEMPTS_NEEDED} are needed`,
});

function against(limit: number | null, step: number, wanted: number, reason: string): Suggestion {
  const suggested = Math.max(step, upTo(step, wanted));
  if (limit === null || Math.abs(suggested - limit) < step) return { verdict: 'keep', suggested: limit, reason };
  return { verdict: suggested < limit ? 'lower' : 'raise', suggested, reason };
}

/** In bytes. */
export function suggestMemory(usage: ProfileUsage): Suggestion {
  const { memory_limit_bytes: limit, out_of_memory: outOfMemory } = usage;
  if (limit !== null && outOfMemory > 0)
    return {
      verdict: 'raise',
      suggested: upTo(MEMORY_STEP_BYTES, limit * RAISED),
      reason: `${outOfMemory} of ${usage.attempts} attempts ran out of memory: half as much again`,
    };
  if (usage.attempts < ATTEMPTS_NEEDED) return tooFew(usage.attempts);
  const wanted = Math.max(usage.memory_p95_kib * MEMORY_ABOVE_P95, usage.memory_max_kib * MEMORY_ABOVE_MAX) * KIB;
  return against(
    limit,
    MEMORY_STEP_BYTES,
    wanted,
    'half as much again as 19 of 20 attempts needed, and a fifth above the most that one did',
  );
}

/** In thousandths of a processor. */
export function suggestCpu(usage: ProfileUsage): Suggestion {
  const { cpu_limit_milli: limit, cpu_p95_milli: p95 } = usage;
  if (usage.attempts < ATTEMPTS_NEEDED || p95 === null) return tooFew(usage.attempts);
  if (limit !== null && p95 >= limit * AT_LIMIT)
    return {
      verdict: 'raise',
      suggested: upTo(CPU_STEP_MILLI, limit * RAISED),
      reason: 'attempts reach the limit and are held back by it: half as much again',
    };
  return against(limit, CPU_STEP_MILLI, p95 * CPU_ABOVE_P95, 'a quarter above the peak of 19 of 20 attempts');
}
