import { expect, test } from '@jest/globals';
import { makeKeysInUse } from './keys-in-use.ts';

const HOUR_MS = 3_600_000;
const day = (n: number): Date => new Date(Date.UTC(2026, 0, n));

test('the oldest key that was used within a day', () => {
  let now = 0;
  const keys = makeKeysInUse(() => now);
  expect(keys.oldest()).toBeUndefined();
  keys.seen('a', day(2));
  keys.seen('b', day(1));
  keys.seen('c', day(3));
  expect(keys.oldest()).toEqual(day(1));
  now = 23 * HOUR_MS;
  keys.seen('a', day(2));
  expect(keys.oldest()).toEqual(day(1));
  now = 25 * HOUR_MS;
  expect(keys.oldest()).toEqual(day(2));
  now = 48 * HOUR_MS;
  expect(keys.oldest()).toBeUndefined();
});

test('of more than a thousand those used last are remembered', () => {
  const keys = makeKeysInUse(() => 0);
  keys.seen('first', day(1));
  for (let n = 0; n < 999; n += 1) keys.seen(String(n), day(2));
  expect(keys.oldest()).toEqual(day(1));
  keys.seen('one more', day(3));
  expect(keys.oldest()).toEqual(day(2));
});
