import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { END_REASONS, EXIT, EXIT_OF_REASON } from '../job-image/contract/exit-codes.ts';
import { ATTEMPTS_MAX, LOSSES_MAX, OUTCOMES, type Outcome } from '../sql/outcomes.ts';
import { backoffSeconds, classify, verdictOf, type Evidence } from './outcome.ts';

const evidence = (change: Partial<Evidence>): Evidence => ({
  exitCode: 0,
  oomKilled: false,
  stopReason: null,
  finalized: false,
  end: undefined,
  ...change,
});

const CASES: [string, Partial<Evidence>, Outcome][] = [
  ['exit 0 with an accepted manifest', { finalized: true }, 'succeeded'],
  [
    'exit 0 with an accepted manifest, though we asked it to stop',
    { finalized: true, stopReason: 'deadline' },
    'succeeded',
  ],
  ['exit 0 without a manifest', {}, 'no_manifest'],
  ['exit 0 without a manifest after a child ran out of memory', { oomKilled: true }, 'oom'],
  ['137 and OOMKilled', { exitCode: 137, oomKilled: true }, 'oom'],
  ['137 and nothing else: somebody else killed it', { exitCode: 137 }, 'killed_outside'],
  ['134: the heap was full', { exitCode: 134 }, 'oom'],
  ['137 after we recorded why', { exitCode: 137, stopReason: 'deadline' }, 'deadline'],
  ['143 after a cancellation', { exitCode: 143, stopReason: 'cancelled' }, 'cancelled'],
  ['143 and nothing else', { exitCode: 143 }, 'killed_outside'],
  ['64: the envelope was refused', { exitCode: EXIT.usage }, 'handshake_failed'],
  [
    '65 with protected content',
    { exitCode: 65, end: { reason: 'protected_content', detail: 'drm' } },
    'protected_content',
  ],
  ['65 with anything else', { exitCode: 65, end: { reason: 'manifest_invalid', detail: 'x' } }, 'bad_input'],
  ['65 without a word', { exitCode: 65 }, 'bad_input'],
  ['69', { exitCode: 69 }, 'app_temporary'],
  ['70', { exitCode: 70 }, 'bug'],
  ['71: egress or the API was away', { exitCode: EXIT.servicesLost }, 'services_lost'],
  ['74', { exitCode: 74 }, 'app_temporary'],
  ['75', { exitCode: 75 }, 'app_temporary'],
  ['77', { exitCode: 77 }, 'not_entitled'],
  ['127: the engine had no such command', { exitCode: 127 }, 'start_failed'],
  ['a code nobody documented', { exitCode: 3 }, 'unknown_exit'],
  ['no exit code', { exitCode: null }, 'engine_lost'],
  ['the image was missing', { exitCode: null, failure: { outcome: 'image_missing', detail: 'x' } }, 'image_missing'],
  ['the job claims success in words only', { exitCode: 1, end: { reason: 'ok', detail: '' } }, 'unknown_exit'],
];

describe('outcome from evidence', () => {
  test.each(CASES)('%s', (_, change, outcome) => {
    expect(classify(evidence(change)).outcome).toBe(outcome);
  });

  test('the words of a job alone never make a success', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 0, max: 255 })),
        fc.boolean(),
        fc.constantFrom(...END_REASONS),
        (exitCode, oomKilled, reason) => {
          const { outcome } = classify(
            evidence({ exitCode, oomKilled, finalized: false, end: { reason, detail: '' } }),
          );
          expect(outcome).not.toBe('succeeded');
        },
      ),
    );
  });

  test('every reason a job can give ends in an outcome that says more than "unknown"', () => {
    for (const reason of END_REASONS) {
      const { outcome } = classify(evidence({ exitCode: EXIT_OF_REASON[reason], end: { reason, detail: 'x' } }));
      expect([reason, outcome]).not.toEqual([reason, 'unknown_exit']);
    }
  });
});

describe('what happens next', () => {
  const now = { retryBaseSeconds: 30, retryAfterSeconds: undefined, random: 0.5 };
  const after = (
    outcome: Outcome,
    job: Parameters<typeof verdictOf>[1] = { attemptsSpent: 0, losses: 0 },
    options = now,
  ) => verdictOf({ outcome, detail: 'why' }, job, options);

  test('a temporary failure is tried again, later each time, and three make a dead letter with the last cause', () => {
    expect(after('app_temporary')).toEqual({ job: 'retries', spendsAttempt: true, delaySeconds: 15 });
    expect(after('app_temporary', { attemptsSpent: 1, losses: 0 })).toEqual({
      job: 'retries',
      spendsAttempt: true,
      delaySeconds: 30,
    });
    expect(after('app_temporary', { attemptsSpent: ATTEMPTS_MAX - 1, losses: 0 })).toEqual({
      job: 'dies',
      spendsAttempt: true,
      reason: 'attempts_exhausted',
      detail: 'after 3 attempts; the last: app_temporary: why',
    });
  });

  test("a provider's Retry-After is honoured, up to a day: who comes back sooner spends an attempt for nothing", () => {
    expect(after('app_temporary', undefined, { ...now, retryAfterSeconds: 120 as never })).toMatchObject({
      delaySeconds: 120,
    });
    expect(after('app_temporary', undefined, { ...now, retryAfterSeconds: 86_400 as never })).toMatchObject({
      delaySeconds: 86_400,
    });
    expect(after('app_temporary', undefined, { ...now, retryAfterSeconds: 86_401 as never })).toMatchObject({
      delaySeconds: 86_400,
    });
  });

  test('protected content dies at once and is not tried again', () => {
    expect(after('protected_content')).toMatchObject({ job: 'dies', reason: 'protected_content' });
  });

  test('a loss of ours spends no attempt and has its own end', () => {
    expect(after('engine_lost', { attemptsSpent: ATTEMPTS_MAX - 1, losses: 0 })).toMatchObject({
      job: 'retries',
      spendsAttempt: false,
    });
    expect(after('engine_lost', { attemptsSpent: 0, losses: LOSSES_MAX - 1 })).toMatchObject({
      job: 'dies',
      reason: 'infrastructure',
      spendsAttempt: false,
    });
  });

  test('out of memory: once more under the bigger profile, then an operator is needed', () => {
    const small = { attemptsSpent: 0, losses: 0, biggerProfile: 'large' };
    expect(after('oom', small)).toMatchObject({ job: 'retries', profile: 'large', spendsAttempt: true });
    expect(after('oom', { attemptsSpent: 1, losses: 0 })).toMatchObject({ job: 'dies', reason: 'oom' });
  });

  test('every outcome leads somewhere within the budgets', () => {
    for (const outcome of Object.keys(OUTCOMES) as Outcome[]) {
      let job = { attemptsSpent: 0, losses: 0 };
      let steps = 0;
      for (; steps <= ATTEMPTS_MAX + LOSSES_MAX; steps += 1) {
        const verdict = after(outcome, job);
        if (verdict.job !== 'retries') break;
        job = verdict.spendsAttempt
          ? { ...job, attemptsSpent: job.attemptsSpent + 1 }
          : { ...job, losses: job.losses + 1 };
      }
      expect([outcome, steps <= ATTEMPTS_MAX + LOSSES_MAX]).toEqual([outcome, true]);
    }
  });

  test('back-off stays between nothing and its limit', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (n, random) => {
        const seconds = backoffSeconds(30, n, 900, random);
        expect(seconds).toBeGreaterThanOrEqual(0);
        expect(seconds).toBeLessThanOrEqual(900);
      }),
    );
  });
});
