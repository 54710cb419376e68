import { expect, test } from '@jest/globals';
import { AHEAD_MAX } from '../../sql/order-queue.ts';
import { estimate } from './estimate.ts';

const free = { ahead: 0, slots: 10, slots_used: 0, paused: false, back_off_seconds: 0, attempt_seconds: 3_600 };

test.each([
  ['room at once', {}, 0, 3_600],
  ['room at once, nothing measured yet', { attempt_seconds: null }, 0, null],
  ['the last free slot', { slots_used: 9 }, 0, 3_600],
  ['all slots taken: the first that becomes free', { slots_used: 10 }, 360, 3_960],
  ['nine before it, all taken', { slots_used: 10, ahead: 9 }, 3_600, 7_200],
  ['three free, five before it', { slots_used: 7, ahead: 5 }, 1_080, 4_680],
  ['more in use than there are slots', { slots: 2, slots_used: 5 }, 1_800, 5_400],
  ['room, but a back-off to wait for', { back_off_seconds: 30.2 }, 31, 3_631],
  ['a back-off shorter than the queue', { slots_used: 10, back_off_seconds: 30 }, 360, 3_960],
  ['a wait, nothing measured', { slots_used: 10, attempt_seconds: null }, null, null],
  ['a paused queue', { paused: true }, null, null],
  ['no engine that takes jobs', { slots: 0 }, null, null],
  ['one less before it than are counted', { ahead: AHEAD_MAX - 1, attempt_seconds: 10 }, 990, 1_000],
  ['more before it than are counted', { ahead: AHEAD_MAX }, null, null],
])('%s', (_, given, startSeconds, doneSeconds) => {
  expect(estimate({ ...free, ...given })).toEqual({ startSeconds, doneSeconds });
});
