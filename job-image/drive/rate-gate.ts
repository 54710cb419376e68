/**
 * One for all calls of a job to Drive. A rate limit is the account's, not one file's: the first call that meets it holds
 * all of them back, longer each time, until one has passed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { backoffMs, type RetryLimits } from '../retry.ts';

/** What came in together is let out over this long. */
const SPREAD_MAX_MS = 250;

export type RateGate = {
  /** Resolves when calls may go out. Rejects with what `signal` aborts with. */
  pass: (signal: AbortSignal) => Promise<void>;
  /** A call that left at `sentMs` was told to wait; of those that were under way together one counts. */
  limited: (sentMs: number, retryAfterSeconds: number | undefined) => void;
  /** A call that left at `sentMs` was not. */
  passed: (sentMs: number) => void;
};

/** `nowMs` is a clock that never goes back. */
export function makeRateGate(
  limits: RetryLimits,
  nowMs: () => number = () => performance.now(),
  random: () => number = Math.random,
): RateGate {
  let strikes = 0;
  let struckMs = -Infinity;
  let shutUntilMs = -Infinity;
  return {
    pass: async (signal) => {
      while (nowMs() < shutUntilMs) {
        const spreadMs = Math.min(SPREAD_MAX_MS, limits.baseMs) * random();
        await sleep(Math.ceil(shutUntilMs - nowMs() + spreadMs), undefined, { signal });
      }
    },
    limited: (sentMs, retryAfterSeconds = 0) => {
      if (sentMs > struckMs) {
        strikes += 1;
        struckMs = nowMs();
      }
      // Longer wishes end the attempt, and with it everything that waits here.
      const wishedMs = Math.min(retryAfterSeconds, limits.retryAfterMaxSeconds) * 1_000;
      shutUntilMs = Math.max(shutUntilMs, struckMs + Math.max(wishedMs, backoffMs(limits, strikes, random())));
    },
    passed: (sentMs) => {
      if (sentMs > struckMs) strikes = 0;
    },
  };
}
