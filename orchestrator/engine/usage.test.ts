import { expect, test } from '@jest/globals';
import { usageOf } from './usage.ts';

const answer = (memory: object, read = '2026-03-01T10:00:00.500000000Z'): object => ({
  read,
  cpu_stats: { cpu_usage: { total_usage: 2_000_000 } },
  memory_stats: memory,
});

test.each([
  ['version 1 of control groups', { total_inactive_file: 300, inactive_file: 1 }],
  ['version 2', { inactive_file: 300 }],
])('memory is what the kernel cannot take back: %s', (_, stats) => {
  expect(usageOf(answer({ usage: 1_000, stats }))).toEqual({
    memoryBytes: 700,
    cpuNanos: 2_000_000,
    atMs: Date.parse('2026-03-01T10:00:00.500Z'),
  });
});

test('a container that does not run uses nothing', () => {
  expect(usageOf(answer({}))).toBeUndefined();
  expect(usageOf(answer({ usage: 5 }, '0001-01-01T00:00:00Z'))).toBeUndefined();
});

test('what is no stats is an error', () => {
  expect(() => usageOf({ message: 'no' })).toThrow();
});
