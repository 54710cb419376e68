/** What becomes of a job whose container ends in this way or that: from the engine's evidence to the budgets of the job. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cancelJob } from '../moves.ts';
import { inTransaction } from '../../sql/pool.ts';
import { fixtureImage, jobOf, linesOfStream, settledAttempt, startFixtureE2e, storedLines } from './fixture-world.ts';
import type { FixtureE2e, JobSeen } from './fixture-world.ts';
import { containersOf, docker, eventually, runningAttempt, type AttemptSeen } from './world.ts';

const MIB = 1024 * 1024;
/** A job's next attempt is this far away or farther on average: what is looked at is the first. */
const RETRY_BASE_MS = 600_000;

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({
    slots: 5,
    retryBaseMs: RETRY_BASE_MS,
    profiles: {
      tight: { memoryBytes: 128 * MIB, graceSeconds: 1 },
      roomy: { memoryBytes: 160 * MIB, graceSeconds: 1 },
      hurried: { memoryBytes: 128 * MIB, deadlineSeconds: 3, graceSeconds: 1 },
    },
  });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

type Ending = Pick<AttemptSeen, 'outcome' | 'exit_code'> &
  Pick<JobSeen, 'attempts_spent' | 'losses' | 'profile'> & {
    job: string;
  };

/** The first attempt's ending and what it cost the job. The job is then cancelled: nothing of it runs on. */
async function endingOf(code: string): Promise<{ ending: Ending; attempt: AttemptSeen; job: JobSeen }> {
  const attempt = await settledAttempt(e2e.pool, code);
  const job = await jobOf(e2e.pool, code);
  await inTransaction(e2e.pool, (client) => cancelJob(client, job.id, 'seen enough'));
  const { outcome, exit_code } = attempt;
  const { attempts_spent, losses, profile } = job;
  return {
    attempt,
    job,
    ending: { outcome, exit_code, attempts_spent, losses, profile, job: job.dead_reason ?? job.state },
  };
}

const attemptSpent = { attempts_spent: 1, losses: 0, profile: null, job: 'enrolled' };
const lost = { attempts_spent: 0, losses: 1, profile: null, job: 'enrolled' };
const dead = (job: string) => ({ attempts_spent: 1, losses: 0, profile: null, job });
const oom = { ...attemptSpent, outcome: 'oom', profile: 'roomy' };

const TABLE: [course: string, profile: string, ending: Ending][] = [
  ['exit-0', 'standard', { outcome: 'no_manifest', exit_code: 0, ...attemptSpent }],
  ['exit-3', 'standard', { outcome: 'unknown_exit', exit_code: 3, ...attemptSpent }],
  ['exit-64', 'standard', { outcome: 'handshake_failed', exit_code: 64, ...lost }],
  ['exit-65', 'standard', { outcome: 'bad_input', exit_code: 65, ...dead('bad_input') }],
  ['end-65', 'standard', { outcome: 'protected_content', exit_code: 65, ...dead('protected_content') }],
  ['exit-69', 'standard', { outcome: 'app_temporary', exit_code: 69, ...attemptSpent }],
  ['exit-70', 'standard', { outcome: 'bug', exit_code: 70, ...attemptSpent }],
  ['exit-74', 'standard', { outcome: 'app_temporary', exit_code: 74, ...attemptSpent }],
  ['exit-75', 'standard', { outcome: 'app_temporary', exit_code: 75, ...attemptSpent }],
  ['end-77', 'standard', { outcome: 'not_entitled', exit_code: 77, ...dead('not_entitled') }],
  ['exit-126', 'standard', { outcome: 'start_failed', exit_code: 126, ...lost }],
  ['exit-127', 'standard', { outcome: 'start_failed', exit_code: 127, ...lost }],
  ['kill-self', 'standard', { outcome: 'killed_outside', exit_code: 137, ...lost }],
  ['close-stdout', 'standard', { outcome: 'no_manifest', exit_code: 0, ...attemptSpent }],
  ['no-newline', 'standard', { outcome: 'no_manifest', exit_code: 0, ...attemptSpent }],
  ['eat-memory', 'tight', { ...oom, exit_code: 137 }],
  ['eat-heap', 'tight', { ...oom, exit_code: 134 }],
  ['fork-eat-memory', 'tight', { ...oom, exit_code: 0 }],
  ['fork-eat-memory-exit-3', 'tight', { ...oom, exit_code: 3 }],
  ['sleep', 'hurried', { outcome: 'deadline', exit_code: 143, ...attemptSpent }],
  ['exit-0-on-term', 'hurried', { outcome: 'deadline', exit_code: 0, ...attemptSpent }],
  ['ignore-term', 'hurried', { outcome: 'deadline', exit_code: 137, ...attemptSpent }],
];

test('every way to end has its outcome, and costs the job what the table says', async () => {
  const seen = await Promise.all(
    TABLE.map(async ([course, profile]) => {
      const order = await e2e.buy(course, profile, `${course}@shop.example`);
      const { ending, attempt } = await endingOf(order.code);
      return { course, ending, attempt, order };
    }),
  );
  expect(seen.map(({ course, ending }) => [course, ending])).toEqual(
    TABLE.map(([course, , ending]) => [course, ending]),
  );

  const of = (course: string) => seen.find((one) => one.course === course);
  const log = async (course: string) => storedLines(e2e.pool, of(course)?.attempt.id ?? '');
  expect(linesOfStream(await log('no-newline'), 'o').slice(-2)).toEqual(['a last line', 'without its newline']);
  expect(linesOfStream(await log('close-stdout'), 'o').at(-1)).toBe('before');
  for (const { order } of seen)
    await eventually(`the container of ${order.code} is gone`, 10_000, async () =>
      (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
    );
}, 120_000);

describe('from outside', () => {
  test('a killed container is our loss, not an attempt of the customer', async () => {
    const order = await e2e.buy('sleep');
    docker('kill', (await runningAttempt(e2e.pool, order.code)).container_id);
    expect((await endingOf(order.code)).ending).toEqual({ outcome: 'killed_outside', exit_code: 137, ...lost });
  });

  test('a removed container is our loss, and its log is closed', async () => {
    const order = await e2e.buy('sleep');
    const { id, container_id: container } = await runningAttempt(e2e.pool, order.code);
    await eventually('its first words are stored', 5_000, async () =>
      (await storedLines(e2e.pool, id)).length === 2 ? true : undefined,
    );
    docker('rm', '--force', container);
    const { ending, attempt } = await endingOf(order.code);
    expect(ending).toEqual({ outcome: 'engine_lost', exit_code: null, ...lost });
    const { rows } = await e2e.pool.query('SELECT lines, gaps FROM log_ends WHERE attempt_id = $1', [attempt.id]);
    // What it said, and that nobody knows what it said last.
    expect(rows).toEqual([{ lines: 3, gaps: 1 }]);
  });
});

test("a provider's Retry-After is honoured", async () => {
  const order = await e2e.buy('retry-after-800');
  const { attempt, job } = await endingOf(order.code);
  expect([attempt.outcome, attempt.detail]).toEqual(['app_temporary', 'provider_unavailable: asked for patience']);
  // The back-off is at most 600 s.
  expect(job.due_in_seconds).toBeGreaterThan(790);
  expect(job.due_in_seconds).toBeLessThanOrEqual(800);
});

describe('to the last', () => {
  let hasty: FixtureE2e;
  let image: string;
  beforeAll(async () => {
    // An image of its own, to be taken away.
    const made = execFileSync('docker', ['build', '--quiet', '-'], {
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      input: `FROM ${fixtureImage()}\nLABEL vn.lading.test=throwaway\n`,
    });
    image = made.trim();
    hasty = await startFixtureE2e({
      jobImage: image,
      retryBaseMs: 200,
      profiles: {
        tight: { memoryBytes: 128 * MIB, graceSeconds: 1 },
        roomy: { memoryBytes: 160 * MIB, graceSeconds: 1 },
      },
    });
  }, 120_000);
  afterAll(() => hasty.stop(), 60_000);

  test('a job that runs out of memory gets more once, and is then dead of it', async () => {
    const order = await hasty.buy('eat-memory', 'tight');
    expect((await hasty.customer.waitFor(order, ['failed'], 60_000)).failure?.reason).toBe('oom');
    const { rows } = await hasty.pool.query(
      `SELECT n, profile, outcome FROM attempts WHERE job_id = (SELECT id FROM jobs WHERE order_id =
         (SELECT id FROM orders WHERE code = $1::text)) ORDER BY n`,
      [order.code],
    );
    expect(rows).toEqual([
      { n: 1, profile: 'tight', outcome: 'oom' },
      { n: 2, profile: 'roomy', outcome: 'oom' },
    ]);
  });

  test('an image that is gone costs losses, ten at most, and the dead letter says so', async () => {
    docker('rmi', '--force', image);
    const order = await hasty.buy('exit-0');
    expect((await hasty.customer.waitFor(order, ['failed'], 60_000)).failure?.reason).toBe('infrastructure');
    const job = await jobOf(hasty.pool, order.code);
    expect([job.attempts_spent, job.losses]).toEqual([0, 10]);
    expect(job.dead_detail).toMatch(/^after 10 losses of ours; the last: image_missing: /);
  });
});
