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
    ['followed since the row was read: nothing', { ...attempt, state: 'creating' }, { followed: true }, 'none'],
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

test('strays are containers of ours that the database proves unowned, and no others', () => {
  const one = { createdAtSeconds: 0, state: 'running', attempt: undefined, standby: false };
  const young = { ...one, createdAtSeconds: 999 };
  const containers = [
    { ...one, id: 'open by attempt', attempt: 'a' },
    { ...one, id: 'open by container', standby: true },
    { ...young, id: 'settled by attempt', attempt: 'b', state: 'exited' },
    { ...young, id: 'settled by container', standby: true },
    { ...young, id: 'unknown and young', attempt: 'c' },
    { ...one, id: 'unknown and old' },
    { ...one, id: 'waiting standby', standby: true },
    { ...young, id: 'remains of a standby', standby: true, state: 'exited' },
    { ...young, id: 'standby being made', standby: true, state: 'created' },
    { ...one, id: 'standby never started', standby: true, state: 'created' },
  ];
  const owners = { open: new Set(['a', 'open by container']), settled: new Set(['b', 'settled by container']) };
  expect(strays(containers, owners, 1_000, 120)).toEqual([
    'settled by attempt',
    'settled by container',
    'unknown and old',
    'remains of a standby',
    'standby never started',
  ]);
});
