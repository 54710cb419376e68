import { describe, expect, test } from '@jest/globals';
import { repairOf, strays, type Repair } from './repairs.ts';

const here = { followed: false, launching: false, stopping: false };
const attempt = { state: 'running' as const, container_id: 'c', overdue: false };

describe('what to do about an attempt we hold', () => {
  test.each<[string, Parameters<typeof repairOf>[0], Partial<typeof here>, Repair]>([
    ['running and followed: nothing', attempt, { followed: true }, 'none'],
    ['running and not followed: follow', attempt, {}, 'follow'],
    ['overdue and followed: stop', { ...attempt, overdue: true }, { followed: true }, 'stop'],
    ['overdue and being stopped: nothing', { ...attempt, overdue: true }, { followed: true, stopping: true }, 'none'],
    ['overdue and not followed: follow first, so that its end is seen', { ...attempt, overdue: true }, {}, 'follow'],
    ['being made by us: nothing', { ...attempt, state: 'creating' }, { launching: true }, 'none'],
    ['being made by nobody: give up', { ...attempt, state: 'creating' }, {}, 'give_up'],
    [
      'being made by nobody, not even a container yet: give up',
      { ...attempt, state: 'creating', container_id: null },
      {},
      'give_up',
    ],
    ['settled: nothing', { ...attempt, state: 'settled' }, {}, 'none'],
  ])('%s', (_, about, change, repair) => {
    expect(repairOf(about, { ...here, ...change })).toBe(repair);
  });
});

test('strays are old containers of ours whose attempt is not open, and no others', () => {
  const containers = [
    { id: 'open', createdAtSeconds: 0, attempt: 'a' },
    { id: 'settled', createdAtSeconds: 0, attempt: 'b' },
    { id: 'young', createdAtSeconds: 990, attempt: 'c' },
    { id: 'unlabelled', createdAtSeconds: 0, attempt: undefined },
  ];
  expect(strays(containers, new Set(['a']), 1_000, 120)).toEqual(['settled', 'unlabelled']);
});
