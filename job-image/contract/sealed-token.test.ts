import { expect, test } from '@jest/globals';
import { deriveAttemptKey } from './attempt-key.ts';
import { openToken, sealToken } from './sealed-token.ts';

const attemptId = '0199a3c0-2222-7000-8000-000000000001';
const key = deriveAttemptKey(Buffer.alloc(32, 1), attemptId);
const name = { attemptId, n: 1 };

test('a sealed token is opened with the attempt key, and does not show', () => {
  const sealed = sealToken(key, name, 'ya29.token');
  expect(openToken(key, name, sealed)).toBe('ya29.token');
  expect(sealed.includes('ya29')).toBe(false);
});

test('the seal holds against another key, another attempt, another number and every changed byte', () => {
  const sealed = sealToken(key, name, 'ya29.token');
  const other = '0199a3c0-2222-7000-8000-000000000002';
  expect(openToken(deriveAttemptKey(Buffer.alloc(32, 2), attemptId), name, sealed)).toBeUndefined();
  expect(openToken(key, { attemptId: other, n: 1 }, sealed)).toBeUndefined();
  expect(openToken(key, { attemptId, n: 2 }, sealed)).toBeUndefined();
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect([at, openToken(key, name, changed)]).toEqual([at, undefined]);
  }
  expect(openToken(key, name, sealed.subarray(0, 28))).toBeUndefined();
});
