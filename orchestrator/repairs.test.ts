import { describe, expect, test } from '@jest/globals';
import { repairOf, strays, type Repair } from './repairs.ts';

const here = { followed: false, launching: false, stopping: false };
const attempt = { state: 'running' as const, container_id: 'c', stop_reason: null, overdue: false };

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

test('strays are old containers of ours that no open attempt owns, and no others', () => {
  const one = { createdAtSeconds: 0, state: 'running', attempt: undefined, standby: false };
  const containers = [
    { ...one, id: 'open by attempt', attempt: 'a' },
    { ...one, id: 'open by container', standby: true },
    { ...one, id: 'settled', attempt: 'b' },
    { ...one, id: 'young', createdAtSeconds: 990, attempt: 'c' },
    { ...one, id: 'unlabelled' },
    { ...one, id: 'waiting standby', standby: true },
    { ...one, id: 'orphaned standby', standby: true, state: 'exited' },
    { ...one, id: 'young orphaned standby', createdAtSeconds: 999, standby: true, state: 'exited' },
    { ...one, id: 'standby never started', standby: true, state: 'created' },
  ];
  const open = { attempts: new Set(['a']), containers: new Set(['open by container']) };
  expect(strays(containers, open, 1_000, 120)).toEqual([
    'settled',
    'unlabelled',
    'orphaned standby',
    'young orphaned standby',
    'standby never started',
  ]);
});
