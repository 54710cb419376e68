import { expect, test } from '@jest/globals';
import type { ProfileUsage } from '../../sql/samples.ts';
import { ATTEMPTS_NEEDED, suggestCpu, suggestMemory } from './suggest-limits.ts';

const MIB = 1024 * 1024;
const usage = (changes: Partial<ProfileUsage> = {}): ProfileUsage => ({
  profile: 'standard',
  attempts: 100,
  out_of_memory: 0,
  memory_limit_bytes: 512 * MIB,
  cpu_limit_milli: 1_000,
  memory_p95_kib: 200 * 1024,
  memory_max_kib: 220 * 1024,
  cpu_p95_milli: 500,
  cpu_max_milli: 990,
  ...changes,
});

test.each<[string, Partial<ProfileUsage>, { verdict: string; suggested: number | null }]>([
  ['half as much again as most need', {}, { verdict: 'lower', suggested: 320 * MIB }],
  ['never below the most that one needed', { memory_max_kib: 400 * 1024 }, { verdict: 'keep', suggested: 512 * MIB }],
  ['one that needed nearly all', { memory_max_kib: 500 * 1024 }, { verdict: 'raise', suggested: 640 * MIB }],
  [
    'most need nearly all',
    { memory_p95_kib: 480 * 1024, memory_max_kib: 490 * 1024 },
    { verdict: 'raise', suggested: 768 * MIB },
  ],
  [
    'less than a step is no change',
    { memory_p95_kib: 330 * 1024, memory_max_kib: 330 * 1024 },
    { verdict: 'keep', suggested: 512 * MIB },
  ],
  ['never nothing', { memory_p95_kib: 0, memory_max_kib: 0 }, { verdict: 'lower', suggested: 64 * MIB }],
  ['out of memory counts even of few', { attempts: 2, out_of_memory: 1 }, { verdict: 'raise', suggested: 768 * MIB }],
  ['one too few', { attempts: ATTEMPTS_NEEDED - 1 }, { verdict: 'too_few', suggested: null }],
  ['just enough', { attempts: ATTEMPTS_NEEDED }, { verdict: 'lower', suggested: 320 * MIB }],
  ['without a limit there is nothing to change', { memory_limit_bytes: null }, { verdict: 'keep', suggested: null }],
])('memory: %s', (_, changes, expected) => {
  expect(suggestMemory(usage(changes))).toMatchObject(expected);
});

test.each<[string, Partial<ProfileUsage>, { verdict: string; suggested: number | null }]>([
  ['a quarter above most', {}, { verdict: 'lower', suggested: 700 }],
  ['held back by the limit', { cpu_p95_milli: 950 }, { verdict: 'raise', suggested: 1_500 }],
  ['just not held back', { cpu_p95_milli: 949 }, { verdict: 'raise', suggested: 1_200 }],
  ['less than a step is no change', { cpu_p95_milli: 760 }, { verdict: 'keep', suggested: 1_000 }],
  ['idle', { cpu_p95_milli: 0 }, { verdict: 'lower', suggested: 100 }],
  ['never measured', { cpu_p95_milli: null }, { verdict: 'too_few', suggested: null }],
  ['one too few', { attempts: ATTEMPTS_NEEDED - 1 }, { verdict: 'too_few', suggested: null }],
])('processor: %s', (_, changes, expected) => {
  expect(suggestCpu(usage(changes))).toMatchObject(expected);
});
