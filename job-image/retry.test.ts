import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FINALIZE_RETRY } from './finalize.ts';
import { DRIVE_RETRY } from './drive/call.ts';
import { PROVIDER_RETRY } from './providers/manifest.ts';
import { waitMs, withRetries, type RetryLimits } from './retry.ts';

const LIMITS: RetryLimits = { tries: 4, baseMs: 100, capMs: 300, retryAfterMaxSeconds: 5 };

describe('waitMs', () => {
  test('grows, has a cap, and ends with the tries', () => {
    expect([1, 2, 3, 4].map((failures) => waitMs(LIMITS, failures, { again: '' }, 1))).toEqual([
      100,
      200,
      300,
      undefined,
    ]);
  });

  test('the jitter is full', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        const ms = waitMs(LIMITS, 2, { again: '' }, random) ?? -1;
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(200);
      }),
    );
    expect(waitMs(LIMITS, 2, { again: '' }, 0)).toBe(0);
  });

  test('Retry-After is the least, and above the limit it ends the tries', () => {
    expect(waitMs(LIMITS, 1, { again: '', retryAfterSeconds: 5 }, 1)).toBe(5_000);
    expect(waitMs(LIMITS, 1, { again: '', retryAfterSeconds: 6 }, 1)).toBeUndefined();
  });

  test.each([
    ['provider', PROVIDER_RETRY, 10_000],
    ['Drive', DRIVE_RETRY, 64_000],
    ['finalize', FINALIZE_RETRY, 30_000],
  ])('%s: all waits together stay below what was promised', (_title, limits, atMostMs) => {
    let total = 0;
    for (let failures = 1; failures < limits.tries; failures += 1)
      total += waitMs(limits, failures, { again: '' }, 1) ?? 0;
    expect(total).toBeLessThan(atMostMs);
  });
});

test('withRetries stops waiting when it is told to', async () => {
  const stop = new AbortController();
  const slow = { ...LIMITS, retryAfterMaxSeconds: 1_000 };
  const act = async () => {
    queueMicrotask(() => setImmediate(() => stop.abort(new Error('stopped'))));
    return { again: 'away', retryAfterSeconds: 900 };
  };
  await expect(withRetries(slow, stop.signal, act, () => new Error('exhausted'))).rejects.toThrow(/abort/i);
});
