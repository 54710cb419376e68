import { describe, expect, test } from '@jest/globals';
import { afterTry, delaySeconds, TRIES_MAX } from './after-try.ts';

const NOW_MS = Date.parse('2026-01-31T00:00:00Z');
const at = { failures: 0, retryBaseSeconds: 30, nowMs: NOW_MS, random: 1 };
const answered = (status: number, retryAfter?: string) => ({ status, retryAfter, body: 'said' });

test.each([200, 201, 204, 299])('%d is taken', (status) => {
  expect(afterTry(answered(status), at)).toEqual({
    after: { state: 'delivered' },
    one: { status, error: undefined, answer: 'said' },
    disable: false,
  });
});

test.each([199, 300, 301, 307, 400, 401, 404, 429, 500, 503])('%d is not, and is tried again', (status) => {
  expect(afterTry(answered(status), at)).toMatchObject({
    after: { state: 'waiting', delaySeconds: 30 },
    disable: false,
  });
});

test('410 disables the endpoint, and the event waits, also at the last try', () => {
  for (const failures of [0, TRIES_MAX - 1])
    expect(afterTry(answered(410), { ...at, failures })).toMatchObject({ after: { state: 'waiting' }, disable: true });
});

test('the last try is followed by none, the one before it is', () => {
  expect(afterTry({ error: 'ECONNREFUSED' }, { ...at, failures: TRIES_MAX - 2 }).after.state).toBe('waiting');
  expect(afterTry({ error: 'ECONNREFUSED' }, { ...at, failures: TRIES_MAX - 1 })).toMatchObject({
    after: { state: 'dead' },
    one: { status: undefined, error: 'ECONNREFUSED' },
  });
});

describe('the delay', () => {
  test('doubles, to six hours at most', () => {
    const delays = Array.from({ length: TRIES_MAX }, (_, failures) => delaySeconds(30, failures, 1));
    expect(delays.slice(0, 4)).toEqual([30, 60, 120, 240]);
    expect(delays.at(-1)).toBe(6 * 3_600);
    expect(delaySeconds(30, 10_000, 1)).toBe(6 * 3_600);
  });
  test('is jittered in full', () => {
    expect(delaySeconds(30, 3, 0)).toBe(0);
    expect(delaySeconds(30, 3, 0.5)).toBe(120);
  });
  test('is never shorter than the shop asks for', () => {
    const { after } = afterTry(answered(429, '3600'), { ...at, random: 0 });
    expect(after).toEqual({ state: 'waiting', delaySeconds: 3_600 });
  });
});
