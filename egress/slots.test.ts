import { expect, test } from '@jest/globals';
import { makeSlots } from './slots.ts';

test('an attempt has no more than its share, all have no more than the total, and giving back twice gives back once', () => {
  const slots = makeSlots({ perAttempt: 2, total: 3 });
  const first = slots.take('a');
  expect(slots.take('a')).toBeDefined();
  expect(slots.take('a')).toBeUndefined();
  expect(slots.take('b')).toBeDefined();
  expect(slots.take('c')).toBeUndefined();
  first?.();
  first?.();
  expect(slots.open()).toBe(2);
  expect(slots.take('c')).toBeDefined();
  expect(slots.take('b')).toBeUndefined();
});
