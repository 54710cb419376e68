/** Operators at a running system, over HTTP with the command line: what they say happens to real containers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { jobOf, settledAttempt, startFixtureE2e, type FixtureE2e } from './fixture-world.ts';
import { attemptsOf, containersOf, docker, eventually, runningAttempt } from './world.ts';

let e2e: FixtureE2e;
beforeAll(async () => {
  e2e = await startFixtureE2e({ slots: 2, orchestrators: 2 });
}, 120_000);
afterAll(() => e2e.stop(), 60_000);

const json = async (...args: string[]): Promise<unknown> =>
  JSON.parse(await e2e.lading('operator', ...args, '--json')) as unknown;
const enrolled = (code: string): Promise<true> =>
  eventually(`${code} waits for a slot`, 20_000, async () => {
    const job = await jobOf(e2e.pool, code).catch(() => undefined);
    return job?.state === 'enrolled' ? true : undefined;
  });

test('a running job that is cancelled ends with its container, and is sent on its way again', async () => {
  const order = await e2e.buy('sleep');
  const attempt = await runningAttempt(e2e.pool, order.code);
  const following = e2e.lading('auditor', 'logs', order.code, '--follow');
  expect(docker('inspect', '--format', '{{.State.Status}}', attempt.container_id)).toBe('running\n');
  expect(await json('jobs', 'cancel', order.code, '--reason', 'ordered twice')).toMatchObject({ result: 'stopping' });
  expect(await settledAttempt(e2e.pool, order.code)).toMatchObject({ outcome: 'cancelled' });
  // Who followed its log is told that it is over.
  await following;
  await eventually('its container is gone', 20_000, async () =>
    (await containersOf(e2e.pool, order.code)).length === 0 ? true : undefined,
  );
  expect(await json('jobs', 'show', order.code)).toMatchObject({
    state: 'dead',
    deadReason: 'cancelled',
    deadDetail: expect.stringContaining("a test's operator: ordered twice") as unknown,
    order: { status: 'failed' },
    attemptList: [{ n: 1, outcome: 'cancelled', stopReason: 'cancelled' }],
  });

  await json('jobs', 'retry', order.code, '--reason', 'he wants it after all');
  const second = await runningAttempt(e2e.pool, order.code);
  expect([second.n, second.container_id === attempt.container_id]).toEqual([2, false]);
  await json('jobs', 'cancel', order.code, '--reason', 'the end of the test');
  await settledAttempt(e2e.pool, order.code, 2);
}, 90_000);

test('while the queue is paused, or the engine drained, what runs goes on and nothing begins; then it does at once', async () => {
  for (const [stop, goOn] of [
    [['pause', '--reason', 'new disks'], ['resume']],
    [
      ['drain', 'local', '--reason', 'reboot'],
      ['undrain', 'local'],
    ],
  ] as const) {
    const running = await e2e.buy('sleep');
    await runningAttempt(e2e.pool, running.code);
    await json(...stop);
    const waiting = await e2e.buy('sleep');
    await enrolled(waiting.code);
    // A job that is cancelled frees a slot and wakes every orchestrator: nobody takes it.
    await json('jobs', 'cancel', running.code, '--reason', 'makes room');
    await settledAttempt(e2e.pool, running.code);
    expect(await attemptsOf(e2e.pool, waiting.code)).toEqual([]);
    expect(await json('queue')).toMatchObject({ waiting: 1, running: 0 });
    await json(...goOn);
    const begun = await runningAttempt(e2e.pool, waiting.code);
    const { rows } = await e2e.pool.query<{ seconds: number }>(
      `SELECT extract(epoch FROM a.created_at - c.at)::float8 AS seconds
       FROM attempts a, (SELECT max(at) AS at FROM changes) c WHERE a.id = $1`,
      [begun.id],
    );
    expect(rows[0]?.seconds).toBeLessThan(3);
    await json('jobs', 'cancel', waiting.code, '--reason', 'the end of the test');
    await settledAttempt(e2e.pool, waiting.code);
  }
}, 120_000);

test('doctor finds nothing wrong with the API, its key and its engine', async () => {
  const findings = JSON.parse(
    await e2e.lading('auditor', 'doctor', '--json').catch((error: { stdout: string }) => error.stdout),
  ) as { check: string; status: string }[];
  for (const check of ['api', 'key', 'queue', 'engine local', 'engine'])
    expect(findings.find((one) => one.check === check)).toMatchObject({ status: 'ok' });
});
